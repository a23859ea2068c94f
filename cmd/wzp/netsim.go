package main

type netsimCmd struct{}

func (netsimCmd) Run() error { return nil }
