package config

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// columns of a sites file, and what each does to a site.
var columns = map[string]func(*Site, string) error{
	"domain":      func(s *Site, v string) error { s.Domain = v; return nil },
	"allowed":     func(s *Site, v string) error { s.Allowed = v; return oneOf("Allowed", v) },
	"driver":      func(s *Site, v string) error { s.Driver = v; return nil },
	"base_url":    func(s *Site, v string) error { s.BaseURL = v; return checkURL(v, []string{"http", "https"}) },
	"hosts":       func(s *Site, v string) error { s.Hosts = strings.Fields(v); return nil },
	"on_exists":   func(s *Site, v string) error { s.OnExists = v; return oneOf("OnExists", v) },
	"engine":      func(s *Site, v string) error { s.Engine = v; return oneOf("Engine", v) },
	"language":    func(s *Site, v string) error { s.Language = v; return nil },
	"reuse":       func(s *Site, v string) error { return boolean(v, &s.Reuse) },
	"concurrency": func(s *Site, v string) error { return count(v, 256, &s.Pace.Concurrency) },
	"max_per_day": func(s *Site, v string) error { return count(v, 1<<31-1, &s.MaxPerDay) },
	"expires": func(s *Site, v string) error {
		t, err := time.Parse(time.DateOnly, v)
		if err != nil {
			return fmt.Errorf("%s is not a date such as 2027-12-31", strconv.Quote(v))
		}
		s.Expires = t.AddDate(0, 0, 1)
		return nil
	},
	"pace_every": func(s *Site, v string) error {
		d, err := parseDuration(v)
		if err == nil && d > day {
			err = errors.New("it must be at most 24h")
		}
		s.Pace.Every = d
		return err
	},
}

func columnNames() []string {
	return []string{"domain", "allowed", "expires", "driver", "base_url", "hosts", "pace_every", "concurrency", "on_exists", "max_per_day", "language", "engine", "reuse"}
}

// oneOf checks a value against the tag of the site's field.
func oneOf(field, v string) error {
	f, _ := reflect.TypeFor[Site]().FieldByName(field)
	known := strings.Fields(f.Tag.Get("oneof"))
	if slices.Contains(known, v) {
		return nil
	}
	return fmt.Errorf("%s is not one of %s%s", strconv.Quote(v), strings.Join(known, ", "), nearest(v, known))
}

func boolean(v string, into *bool) error {
	if v != "true" && v != "false" {
		return fmt.Errorf("%s is neither true nor false", strconv.Quote(v))
	}
	*into = v == "true"
	return nil
}

func count(v string, most int, into *int) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 || n > most {
		return fmt.Errorf("%s is not a whole number from 0 to %d", strconv.Quote(v), most)
	}
	*into = n
	return nil
}

// readSites adds the file's sites to cfg. Empty cells leave the default.
func readSites(f SitesFile, cfg *Config) []*Problem {
	var problems []*Problem
	bad := func(line int, key, format string, args ...any) {
		problems = append(problems, &Problem{File: f.Path, Line: line, Key: key, Msg: fmt.Sprintf(format, args...)})
	}
	if f.Path == "" {
		return nil // reported as missing
	}
	text, err := readFile(f.Path)
	if err != nil {
		file, line := splitPlace(f.Place)
		return []*Problem{{File: file, Line: line, Key: "sites_file.path", Msg: f.Path + " " + err.Error(), err: err}}
	}
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
	r.FieldsPerRecord = -1
	r.ReuseRecord = true
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		bad(1, "", "it has no header line; the columns are %s", strings.Join(columnNames(), ", "))
		return problems
	}
	if err != nil {
		return append(problems, badCSV(f.Path, err))
	}
	names := slices.Clone(header)
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
		switch {
		case columns[names[i]] == nil:
			bad(1, names[i], "unknown column%s", nearest(names[i], columnNames()))
		case slices.Contains(names[:i], names[i]):
			bad(1, names[i], "the column is given twice")
		}
	}
	if !slices.Contains(names, "domain") {
		bad(1, "domain", "the column is missing")
	}
	if len(problems) > 0 {
		return problems
	}
	if cfg.Sites == nil {
		cfg.Sites = map[string]Site{}
	}
	fresh := element(reflect.TypeFor[Site]()).Interface().(Site)
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return problems
		}
		if err != nil {
			return append(problems, badCSV(f.Path, err))
		}
		line, _ := r.FieldPos(0)
		if len(row) != len(names) {
			bad(line, "", "it has %d cells, the header has %d", len(row), len(names))
			continue
		}
		site := fresh
		site.Place = f.Path + ":" + strconv.Itoa(line)
		for i, cell := range row {
			if cell = strings.TrimSpace(cell); cell == "" {
				continue
			}
			if err := columns[names[i]](&site, strings.Clone(cell)); err != nil {
				bad(line, names[i], "%s", err)
			}
		}
		checkSite(site, func(key, format string, args ...any) { bad(line, key, format, args...) })
		if other, twice := cfg.Sites[site.Domain]; twice {
			bad(line, "domain", "%s is given at %s already", site.Domain, other.Place)
			continue
		}
		cfg.Sites[site.Domain] = site
	}
}

// splitPlace takes a Place apart.
func splitPlace(place string) (file string, line int) {
	i := strings.LastIndexByte(place, ':')
	if i < 0 {
		return place, 0
	}
	line, _ = strconv.Atoi(place[i+1:])
	return place[:i], line
}

func badCSV(file string, err error) *Problem {
	var pe *csv.ParseError
	if errors.As(err, &pe) {
		return &Problem{File: file, Line: pe.Line, Msg: pe.Err.Error(), err: err}
	}
	return &Problem{File: file, Msg: err.Error(), err: err}
}
