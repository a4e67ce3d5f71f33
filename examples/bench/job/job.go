// Package job is what every program of the comparison gets to do: a list of
// people to enrol on the bench site, as JSON on its standard input.
package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Job is one run of one program.
type Job struct {
	URL         string `json:"url"`         // of the site
	Browser     string `json:"browser"`     // program to start
	Driver      string `json:"driver"`      // chromedriver, for Selenium
	Sandbox     bool   `json:"sandbox"`     // whether Chromium can have its sandbox: not when started as root
	Concurrency int    `json:"concurrency"` // tasks at the same time
	Tasks       []Task `json:"tasks"`
}

// Task is one person with the profile that the site must show in the end.
type Task struct {
	Username  string `json:"username"`
	Email     string `json:"email"`
	Password  string `json:"password"`
	FullName  string `json:"full_name"`
	Location  string `json:"location"`
	Bio       string `json:"bio"`
	Website   string `json:"website"`
	Signature string `json:"signature"`
	Avatar    string `json:"avatar"` // path of a PNG
}

// Read decodes a job.
func Read(r io.Reader) (Job, error) {
	var j Job
	if err := json.NewDecoder(r).Decode(&j); err != nil {
		return Job{}, fmt.Errorf("reading the job: %w", err)
	}
	return j, nil
}

// Each runs f on every task, Concurrency at a time, and returns what failed. No
// task begins after a failure.
func (j Job) Each(f func(Task) error) error {
	tasks := make(chan Task, len(j.Tasks))
	for _, t := range j.Tasks {
		tasks <- t
	}
	close(tasks)
	errs := make([]error, j.Concurrency)
	stop := make(chan struct{})
	var once sync.Once
	var workers sync.WaitGroup
	for i := range errs {
		workers.Go(func() {
			for t := range tasks {
				select {
				case <-stop:
					return
				default:
				}
				if err := f(t); err != nil {
					errs[i] = fmt.Errorf("%s: %w", t.Username, err)
					once.Do(func() { close(stop) })
					return
				}
			}
		})
	}
	workers.Wait()
	return errors.Join(errs...)
}
