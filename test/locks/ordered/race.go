//go:build race

package ordered

import "runtime"

// quiet has the race detector take no note of what locks order, until loud.
//
//go:norace
func quiet() { runtime.RaceDisable() }

//go:norace
func loud() { runtime.RaceEnable() }
