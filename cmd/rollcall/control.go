package main

import "context"

func (h *house) serveControl(context.Context) (func(), error) { return func() {}, nil }
