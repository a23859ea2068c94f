package main

type idCmd struct{}

func (idCmd) Run() error { return nil }
