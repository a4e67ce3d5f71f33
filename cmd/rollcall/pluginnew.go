package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

// newPlugin are the flags of driver new that write a plugin.
type newPlugin struct {
	wanted bool
	sdk    string
}

func (p *newPlugin) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&p.wanted, "plugin", false, "write the Go module of a plugin into the directory NAME")
	cmd.Flags().StringVar(&p.sdk, "sdk", "", "with --plugin: build against this checkout of rollcall, not a published version")
}

// pluginDomain is what may stand in a Go string as it is.
var pluginDomain = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*$`)

// sdkModule is where the published packages are.
const sdkModule = "github.com/rollcall-run/rollcall"

// commitVersion is the end of a version that names a commit instead of a release.
var commitVersion = regexp.MustCompile(`[-.]\d{14}-[0-9a-f]{12}$`)

// published reports whether a module proxy can know this build's version: a
// release, or a commit that the build came from by way of a proxy.
func published(version, commit string) bool {
	return strings.HasPrefix(version, "v") && !strings.Contains(version, "+") && (commit == "" || !commitVersion.MatchString(version))
}

// required are the lines of a go.mod that require a module, without their comments.
func required(gomod string) (lines []string) {
	block := false
	for line := range strings.Lines(gomod) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " //")
		switch one, is := strings.CutPrefix(line, "require "); {
		case line == "require (":
			block = true
		case line == ")":
			block = false
		case is:
			lines = append(lines, one)
		case block && line != "":
			lines = append(lines, line)
		}
	}
	return lines
}

func (c *cli) driverNewPlugin(name, domain, sdk string) (err error) {
	if err := checkDriverName(name); err != nil {
		return err
	}
	if domain == "" {
		domain = strings.ReplaceAll(name, "_", "-") + ".example"
	}
	if !pluginDomain.MatchString(domain) {
		return usage(fmt.Errorf("--domain %q is no domain: lower-case letters, digits, dots and -", domain))
	}
	if _, err := os.Lstat(name); err == nil {
		return usage(fmt.Errorf("%s exists and was not touched; choose another name", name))
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for %s: %w", name, err)
	}
	source, err := starter.ReadFile("starter/plugin/main.go.txt")
	if err != nil {
		return err
	}
	main := strings.NewReplacer("starter.example", domain, "starter", name).Replace(string(source))
	files := map[string]string{"main.go": main, ".gitignore": "/" + name + "\n"}
	version, commit := buildVersion()
	mod := "module " + name + "\n\ngo 1.26.0\n"
	next := "go mod tidy\n  go build"
	if sdk != "" {
		if sdk, err = filepath.Abs(sdk); err != nil {
			return usage(fmt.Errorf("--sdk: %w", err))
		}
		sums, rerr := os.ReadFile(filepath.Join(sdk, "go.sum"))
		head, herr := os.ReadFile(filepath.Join(sdk, "go.mod"))
		if err := errors.Join(rerr, herr); err != nil || !strings.HasPrefix(string(head), "module "+sdkModule+"\n") {
			return usage(errors.Join(fmt.Errorf("--sdk %s is no checkout of rollcall", sdk), err))
		}
		// What the checkout requires stands here too, so that building needs no module beyond those it was built with.
		mod += fmt.Sprintf("\nrequire %s v0.0.0\n\nrequire (\n\t%s // indirect\n)\n\nreplace %s => %q\n",
			sdkModule, strings.Join(required(string(head)), " // indirect\n\t"), sdkModule, sdk)
		files["go.sum"] = string(sums)
		next = "go build -mod=mod"
	} else if published(version, commit) {
		mod += fmt.Sprintf("\nrequire %s %s\n", sdkModule, version)
	}
	files["go.mod"] = mod
	if err := os.Mkdir(name, 0o755); err != nil {
		return fmt.Errorf("make the plugin's directory: %w", err)
	}
	for file, text := range files {
		if err := writeNew(filepath.Join(name, file), []byte(text), 0o644); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.out, "wrote the plugin's module in %s\n\nnext:\n  cd %s\n  %s\n  rollcall driver test ./%s\n  rollcall driver trust ./%s\n"+
		"then change main.go into your site's driver; docs/plugins.md tells more\n", name, name, next, name, name)
	return nil
}
