package config

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
)

// Problem is one thing that is wrong in a configuration file.
type Problem struct {
	File string
	Line int    // 0 when the whole file is meant
	Key  string // dotted, empty when no key is meant
	Msg  string // what is wrong and what to do
	err  error
}

// Error prints "file:line: key: message".
func (p *Problem) Error() string {
	s := p.File
	if p.Line > 0 {
		s += ":" + strconv.Itoa(p.Line)
	}
	if s != "" {
		s += ": "
	}
	if p.Key != "" {
		s += p.Key + ": "
	}
	return s + p.Msg
}

func (p *Problem) Unwrap() error { return p.err }

// joined returns all problems in the order of the files' lines, nil for none.
func joined(problems []*Problem, files []string) error {
	if len(problems) == 0 {
		return nil
	}
	slices.SortStableFunc(problems, func(a, b *Problem) int {
		return cmp.Or(cmp.Compare(slices.Index(files, a.File), slices.Index(files, b.File)), cmp.Compare(a.Line, b.Line))
	})
	errs := make([]error, len(problems))
	for i, p := range problems {
		errs[i] = p
	}
	return errors.Join(errs...)
}

// Problems returns every Problem in an error of Load or Check.
func Problems(err error) []*Problem {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var out []*Problem
		for _, e := range many.Unwrap() {
			out = append(out, Problems(e)...)
		}
		return out
	}
	var p *Problem
	if errors.As(err, &p) {
		return []*Problem{p}
	}
	return nil
}
