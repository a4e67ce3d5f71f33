package browser

import "strings"

// noProxy is where the browser is sent for anything outside a context: a port
// on which nothing listens. Contexts have their own proxies.
const noProxy = "http://127.0.0.1:9"

// features of Chromium that speak to servers of its maker, report on sites
// afterwards, guess at what the user will open, keep pages that were left, or
// stand in front of a page.
var features = []string{
	"AutofillServerCommunication", "BackForwardCache", "CertificateTransparencyComponentUpdater", "DialMediaRouteProvider",
	"GlobalMediaControls", "HttpsUpgrades", "InterestFeedContentSuggestions", "LensOverlay",
	"MediaRouter", "NetworkErrorLogging", "NetworkTimeServiceQuerying", "OptimizationGuideModelDownloading", "OptimizationHints",
	"OptimizationHintsFetching", "OptimizationTargetPrediction", "PasswordManagerOnboarding",
	"PrefetchProxy", "PreconnectToSearch", "Prerender2", "Reporting", "SegmentationPlatform",
	"SpareRendererForSitePerProcess", // a process kept ready for each context that nobody uses: a third of a task's processor time
	"SpeculationRulesPrefetchFuture", "Translate", "TranslateUI", "WebOTP",
}

// flags is the whole command line: nothing is added by a library. Site
// isolation and the sandbox stay on; the sandbox goes only when o.Sandbox is
// false.
func flags(o Options, profile string, shell, smallShm bool) []string {
	list := []string{
		"--remote-debugging-port=0",
		"--remote-debugging-address=127.0.0.1",
		"--user-data-dir=" + profile,
		"--site-per-process",

		// No connection but through a context's proxy.
		"--proxy-server=" + noProxy,
		"--proxy-bypass-list=<-loopback>",
		"--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
		"--dns-prefetch-disable",
		"--disable-preconnect",
		"--disable-quic",
		"--webrtc-ip-handling-policy=disable_non_proxied_udp",
		"--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
		"--no-pings",

		// No service of its own.
		"--disable-background-networking",
		"--disable-breakpad",
		"--disable-client-side-phishing-detection",
		"--disable-component-extensions-with-background-pages",
		"--disable-component-update",
		"--disable-crash-reporter",
		"--disable-default-apps",
		"--disable-domain-reliability",
		"--disable-extensions",
		"--disable-features=" + strings.Join(features, ","),
		"--disable-field-trial-config",
		"--disable-search-engine-choice-screen",
		"--disable-sync",
		"--metrics-recording-only",
		"--no-default-browser-check",
		"--no-first-run",
		"--no-service-autorun",
		"--password-store=basic",
		"--use-mock-keychain",

		// Nothing in front of a page, and no page slowed for not being looked at.
		"--deny-permission-prompts",
		"--disable-backgrounding-occluded-windows",
		"--disable-background-timer-throttling",
		"--disable-hang-monitor",
		"--disable-infobars",
		"--disable-prompt-on-repost",
		"--disable-renderer-backgrounding",
		"--mute-audio",
		"--window-size=1280,900",
	}
	if o.Headless && !shell {
		list = append(list, "--headless=new")
	}
	if !shell {
		list = append(list, "--no-startup-window")
	}
	if !o.Sandbox {
		list = append(list, "--no-sandbox")
	}
	if smallShm {
		list = append(list, "--disable-dev-shm-usage")
	}
	return append(list, o.ExtraFlags...)
}
