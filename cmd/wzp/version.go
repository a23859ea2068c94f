package main

import (
	"fmt"
	"runtime/debug"
)

// version is set by the linker for releases; other builds use what Go recorded about them.
var version string

type versionCmd struct{}

func (versionCmd) Run() error {
	fmt.Println("wzp", buildVersion())
	return nil
}

// buildVersion returns the release, or the module version that Go stamped into the binary.
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "devel"
}
