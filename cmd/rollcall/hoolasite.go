package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/core/config"
	"github.com/rollcall-run/rollcall/core/hoola"
	"github.com/rollcall-run/rollcall/core/runner"
	"github.com/rollcall-run/rollcall/core/secret"
)

// hoolaSite are the limits of a tenant's calls.
func hoolaSite(h config.Hoola) core.BulkSite {
	return core.BulkSite{Domain: h.Domain, Max: min(h.Batch, hoola.MaxUsers), Every: h.Every, Timeout: h.Timeout, MaxWait: h.MaxWait, HoldAbove: h.HoldAbove}
}

// hoolaService makes the calls of one tenant.
func hoolaService(h config.Hoola, redact *secret.Redactor, log *slog.Logger) (runner.BulkService, error) {
	token, err := h.Token.Resolve()
	if err != nil {
		return runner.BulkService{}, err
	}
	redact.Add(token)
	client, err := hoola.New(hoola.Options{BaseURL: cmp.Or(h.BaseURL, "https://"+h.Domain), Token: token, UserAgent: userAgent(), Logger: log})
	if err != nil {
		return runner.BulkService{}, fmt.Errorf("[hoola.%q]: %w", h.Domain, err)
	}
	s := runner.BulkService{Site: hoolaSite(h), API: allowedAPI{client, h}, Row: hoola.FromTask(h.Name), Driver: "hoola", Left: hoola.Left}
	if h.ProfileURL != "" {
		s.Link = hoola.Link(h.ProfileURL)
	}
	return s, nil
}

// hoolaServices are the tenants that may be called now.
func hoolaServices(cfg *config.Config, redact *secret.Redactor, log *slog.Logger) ([]runner.BulkService, error) {
	var out []runner.BulkService
	for _, domain := range slices.Sorted(maps.Keys(cfg.Hoola)) {
		if h := cfg.Hoola[domain]; h.Allowed != "" && !h.Expired(time.Now()) {
			s, err := hoolaService(h, redact, log)
			if err != nil {
				return nil, err
			}
			out = append(out, s)
		}
	}
	return out, nil
}

// allowedAPI makes no call once the basis has ended.
type allowedAPI struct {
	core.BulkAPI
	h config.Hoola
}

func (a allowedAPI) Send(ctx context.Context, body []byte, rows []core.BulkRow, late func() bool) ([]core.BulkResult, error) {
	if a.h.Expired(time.Now()) {
		return nil, &core.BulkError{Kind: core.BulkCallDenied, Message: fmt.Sprintf("the basis (%s) ended on %s", a.h.Allowed, a.h.Expires.Format(time.DateOnly))}
	}
	return a.BulkAPI.Send(ctx, body, rows, late)
}

// tenant is the tenant that a command is about: the one named, or the only one.
func tenant(cfg *config.Config, site string) (config.Hoola, error) {
	if site == "" {
		if len(cfg.Hoola) == 1 {
			for _, h := range cfg.Hoola {
				return h, allowedTenant(h)
			}
		}
		return config.Hoola{}, usage(fmt.Errorf("name the tenant with --site DOMAIN; the configuration has %s", tenants(cfg)))
	}
	domain, err := domainArg(site)
	if err != nil {
		return config.Hoola{}, usage(err)
	}
	h, ok := cfg.Hoola[domain]
	if !ok {
		return h, usage(fmt.Errorf("there is no [hoola.%q]; the configuration has %s", domain, tenants(cfg)))
	}
	return h, allowedTenant(h)
}

func allowedTenant(h config.Hoola) error {
	switch {
	case h.Allowed == "":
		return &exitError{code: exitHeldBack, err: fmt.Errorf("you have not recorded on what basis accounts may be made on %s: set [hoola.%q] allowed = \"owner\", \"contract\" or \"terms\"", h.Domain, h.Domain)}
	case h.Expired(time.Now()):
		return &exitError{code: exitHeldBack, err: fmt.Errorf("the basis for %s ended on %s: renew it and set [hoola.%q] expires", h.Domain, h.Expires.Format(time.DateOnly), h.Domain)}
	}
	return nil
}

func tenants(cfg *config.Config) string {
	return cmp.Or(strings.Join(slices.Sorted(maps.Keys(cfg.Hoola)), ", "), "none")
}
