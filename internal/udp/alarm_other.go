//go:build !linux

package udp

// NewAlarm returns an Alarm that is not set, with f to call.
func (m *Mux) NewAlarm(f func()) Alarm { return newTimerAlarm(f) }
