package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-run/rollcall/core/secret"
	"github.com/rollcall-run/rollcall/drivers/lua"
	"github.com/rollcall-run/rollcall/scripts"
)

func (c *cli) driverDocCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doc [VERB|KEY|RULE|DRIVER]",
		Short: "Explain a verb, a key, a rule of check or a driver's options; without an argument, list them",
		Args:  cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			entries, err := stubEntries()
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return slices.Sorted(maps.Keys(shortNames(entries))), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			entries, err := stubEntries()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return c.docList(entries)
			}
			return c.doc(cmd, entries, args[0])
		},
	}
}

// stubEntry is one thing that the typed stub for editors describes.
type stubEntry struct {
	name string // page:open, outcome.done, log, or Driver.needs
	text string
	api  bool // a function or method, not a key of a table
}

// stubEntries reads the stub, which is the one description of the driver API.
func stubEntries() ([]stubEntry, error) {
	text, err := fs.ReadFile(scripts.FS, "meta/rollcall.lua")
	if err != nil {
		return nil, fmt.Errorf("read the description of the driver API: %w", err)
	}
	var out []stubEntry
	var comment []string
	class := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "---@class rollcall."):
			class, _, _ = strings.Cut(strings.TrimPrefix(line, "---@class rollcall."), " ")
			comment = append(comment, line)
		case strings.HasPrefix(line, "---@field "):
			name, rest, _ := strings.Cut(strings.TrimPrefix(line, "---@field "), " ")
			plain, optional := strings.CutSuffix(name, "?")
			if optional {
				rest = "(optional) " + rest
			}
			out = append(out, stubEntry{name: class + "." + plain, text: rest})
		case strings.HasPrefix(line, "---"):
			comment = append(comment, line)
		case strings.HasPrefix(line, "function "):
			call := strings.TrimSuffix(strings.TrimPrefix(line, "function "), " end")
			name, _, _ := strings.Cut(call, "(")
			out = append(out, stubEntry{name: name, text: describe(call, comment), api: true})
			comment = nil
		default:
			comment = nil
		}
	}
	return out, nil
}

// describe writes a stub's comment for people.
func describe(call string, comment []string) string {
	var b strings.Builder
	b.WriteString(call + "\n")
	for _, line := range comment {
		line = strings.TrimPrefix(line, "---")
		switch {
		case strings.HasPrefix(line, "@param "):
			name, kind, _ := strings.Cut(strings.TrimPrefix(line, "@param "), " ")
			fmt.Fprintf(&b, "  %s: %s\n", name, kind)
		case strings.HasPrefix(line, "@return "):
			fmt.Fprintf(&b, "  gives %s\n", strings.TrimPrefix(line, "@return "))
		case strings.HasPrefix(line, "@"):
		default:
			fmt.Fprintf(&b, "%s\n", strings.TrimSpace(line))
		}
	}
	return strings.ReplaceAll(b.String(), "rollcall.", "")
}

// shortNames are the entries by what people call them: open, needs, done.
func shortNames(entries []stubEntry) map[string][]stubEntry {
	out := map[string][]stubEntry{}
	for _, e := range entries {
		short := e.name[strings.LastIndexAny(e.name, ".:")+1:]
		out[short] = append(out[short], e)
		if short != e.name {
			out[e.name] = append(out[e.name], e)
		}
	}
	return out
}

func (c *cli) docList(entries []stubEntry) error {
	groups := map[string][]string{}
	var order []string
	for _, e := range entries {
		at := strings.LastIndexAny(e.name, ".:")
		head := "globals"
		if at > 0 {
			head = e.name[:at]
		}
		if groups[head] == nil {
			order = append(order, head)
		}
		groups[head] = append(groups[head], e.name[at+1:])
	}
	for _, head := range order {
		fmt.Fprintf(c.out, "%-10s %s\n", head, strings.Join(groups[head], " "))
	}
	fmt.Fprintf(c.out, "%-10s %s\n", "rules", strings.Join(append(slices.Sorted(maps.Keys(lua.Rules)), ruleDomain), " "))
	return nil
}

func (c *cli) doc(cmd *cobra.Command, entries []stubEntry, word string) error {
	word = strings.TrimSuffix(strings.TrimPrefix(word, "rollcall."), "()")
	names := shortNames(entries)
	found := names[word]
	for i, e := range found {
		if i > 0 {
			fmt.Fprintln(c.out)
		}
		if e.api {
			fmt.Fprint(c.out, e.text)
		} else {
			fmt.Fprintf(c.out, "%s: %s\n", e.name, strings.ReplaceAll(e.text, "rollcall.", ""))
		}
	}
	if len(found) > 0 {
		return nil
	}
	if rule, ok := lua.Rules[word]; ok {
		fmt.Fprintf(c.out, "%s: %s\n", word, rule)
		return nil
	}
	if word == ruleDomain {
		fmt.Fprintf(c.out, "%s: two drivers name one domain, and a run can't tell which is meant\n", word)
		return nil
	}
	err := c.docDriver(cmd, word)
	var none *exitError
	if errors.As(err, &none) && none.code == exitUsage {
		return usage(fmt.Errorf("%q is no verb, key, rule or driver; `rollcall driver doc` lists what there is", word))
	}
	return err
}

// docDriver prints what a driver takes.
func (c *cli) docDriver(cmd *cobra.Command, name string) error {
	cfg, err := c.workshop(cmd)
	if err != nil {
		return err
	}
	s, err := findScript(cfg, name)
	if err != nil {
		return err
	}
	d, err := lua.Load(s.Source)
	if err != nil {
		return err
	}
	m := d.Manifest()
	fmt.Fprintf(c.out, "%s %s (%s)\n%s\n", m.Name, m.Version, s.Path, secret.Clean(m.Summary))
	if m.Family {
		fmt.Fprintln(c.out, "for     a family of sites, bound by [sites.\"DOMAIN\"] driver = \""+m.Name+"\"")
	} else {
		fmt.Fprintf(c.out, "for     %s\n", strings.Join(m.Domains, " "))
	}
	fmt.Fprintf(c.out, "needs   %s\nwants   %s\n", cmp.Or(strings.Join(m.Needs, " "), "nothing"), cmp.Or(strings.Join(m.Wants, " "), "nothing"))
	for _, o := range slices.Sorted(maps.Keys(m.Options)) {
		fmt.Fprintf(c.out, "option  %s = %#v  %s\n", o, m.Options[o].Default, secret.Clean(m.Options[o].Help))
	}
	return nil
}
