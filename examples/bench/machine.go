package main

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"strings"
	"time"
)

// machine is what the figures hold for.
type machine struct {
	Date     string
	Cores    int
	CPU      string
	MemoryGB float64
	System   string
	Kernel   string
	Browser  string
	Versions []string // of the programs and what they rest on
	Meter    string
}

// machine looks at where it runs; its error says what is missing.
func (b *bench) machine(ctx context.Context) (machine, error) {
	m := machine{Date: time.Now().UTC().Format(time.DateOnly), Cores: runtime.NumCPU(), CPU: field("/proc/cpuinfo", "model name"), System: strings.Trim(field("/etc/os-release", "PRETTY_NAME"), `"`)}
	var kb float64
	if _, err := fmt.Sscan(field("/proc/meminfo", "MemTotal"), &kb); err != nil {
		return machine{}, fmt.Errorf("memory of the machine: %w", err)
	}
	m.MemoryGB = kb / (1 << 20)
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return machine{}, err
	}
	m.Kernel = strings.TrimSpace(string(kernel))
	if m.Browser, err = line(ctx, b.browser, "--version"); err != nil {
		return machine{}, fmt.Errorf("the browser: %w", err)
	}
	m.Browser += " (" + filepath.Base(b.browser) + ")"
	add := func(name, version string) {
		if text := strings.TrimSpace(name + " " + version); !slices.Contains(m.Versions, text) {
			m.Versions = append(m.Versions, text)
		}
	}
	add("Go", strings.TrimPrefix(runtime.Version(), "go"))
	for _, p := range b.programs {
		switch p.name {
		case "rollcall", "reuse", "http":
			v, err := line(ctx, b.rollcall, "version")
			if err != nil {
				return machine{}, err
			}
			add("", v)
		case "rod", "chromedp":
			path := map[string]string{"rod": "github.com/go-rod/rod", "chromedp": "github.com/chromedp/chromedp"}[p.name]
			v, err := moduleVersion(filepath.Join(b.dir, p.name), path)
			if err != nil {
				return machine{}, err
			}
			add(p.title, v)
		default:
			v, err := packageVersion(filepath.Join(b.dir, "node"), packages[p.name])
			if err != nil {
				return machine{}, err
			}
			add(packages[p.name], v)
		}
		if p.name == "selenium" {
			v, err := line(ctx, b.driver, "--version")
			if err != nil {
				return machine{}, err
			}
			v, _, _ = strings.Cut(v, " (")
			add("", v)
		}
	}
	if v, err := line(ctx, b.node(), "--version"); err == nil {
		add("Node.js", strings.TrimPrefix(v, "v"))
	}
	t, err := newTree()
	if err != nil {
		return machine{}, err
	}
	m.Meter = t.String()
	_, err = t.end()
	return m, err
}

// packages are the npm packages by the programs that rest on them.
var packages = map[string]string{
	"playwright": "playwright", "crawlee": "@crawlee/playwright", "puppeteer": "puppeteer-core", "selenium": "selenium-webdriver",
}

// field is the first value of a key in a file of "key: value" or "key=value" lines.
func field(path, key string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, key); ok {
			return strings.TrimSpace(strings.TrimLeft(rest, " \t:="))
		}
	}
	return ""
}

func packageVersion(dir, name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "node_modules", name, "package.json"))
	if err != nil {
		return "", fmt.Errorf("%s is not installed: %w", name, err)
	}
	var p struct{ Version string }
	return p.Version, json.Unmarshal(text, &p)
}

// moduleVersion is the version of a Go module that a program was built with.
func moduleVersion(program, path string) (string, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return "", err
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return strings.TrimPrefix(m.Version, "v"), nil
		}
	}
	return "", fmt.Errorf("%s is not built with %s", program, path)
}
