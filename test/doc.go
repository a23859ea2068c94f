// Package test holds the tests that belong to no single package: scenarios over several
// processes, and the rules about who may import whom. It exports nothing.
package test
