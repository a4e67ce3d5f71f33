package runner

// SetSlots changes how many tasks may run at once, between one and Options.Slots.
// What runs goes on; fewer or more are claimed from now on. It may be called at any
// time, also before Run.
func (r *Runner) SetSlots(n int) {
	r.now.Store(int64(min(max(n, 1), r.o.Slots)))
	r.nudge()
}

// full reports whether no further task may run for the time being. The caller holds
// a running token, which counts.
func (r *Runner) full() bool {
	return int64(cap(r.run)-len(r.run)) > r.now.Load()
}
