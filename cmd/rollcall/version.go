package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/rollcall-run/rollcall/core"
)

// version is set by a release build: -ldflags "-X main.version=v1.2.3".
var version = ""

func buildVersion() (v, commit string) {
	v = version
	info, ok := debug.ReadBuildInfo()
	if ok {
		if v == "" {
			v = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = s.Value
			}
		}
	}
	if v == "" {
		v = "(devel)"
	}
	return v, commit
}

func (c *cli) versionCommand() *cobra.Command {
	return c.withJSON(&cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v, commit := buildVersion()
			if c.json {
				return json.NewEncoder(c.out).Encode(map[string]any{
					"version": v, "commit": commit, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH, "script_api": core.ManifestAPI,
				})
			}
			_, err := fmt.Fprintf(c.out, "rollcall %s (%s, %s/%s, script API %d)\n", v, runtime.Version(), runtime.GOOS, runtime.GOARCH, core.ManifestAPI)
			return err
		},
	})
}
