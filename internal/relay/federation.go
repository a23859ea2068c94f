package relay

// Reload replaces the peers and the global rooms while the relay runs. Links, rooms and calls that are in both
// configurations go on.
func (r *Relay) Reload(c FederationConfig) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.config.Federation = c
}
