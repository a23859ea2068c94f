//go:build !race

package ordered

func quiet() {}
func loud()  {}
