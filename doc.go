// Package wzp is the public API: what stands on the engine of internal/call.
package wzp
