package main_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rollcall-run/rollcall/core/secret"
	"github.com/rollcall-run/rollcall/examples/sandbox"
)

// BenchmarkBoard runs `rollcall run --once` on the board: 60 kB a page, six
// fields, an avatar, the profile read back, everything durable and reported. Its
// time includes the start of the runner and of Chromium.
func BenchmarkBoard(b *testing.B) {
	sb, err := sandbox.Start(b.Context(), sandbox.Options{Weight: 60_000})
	if err != nil {
		b.Fatal(err)
	}
	defer sb.Close()
	dir := b.TempDir()
	config, err := sb.WriteConfig(dir)
	if err != nil {
		b.Fatal(err)
	}
	if err := secret.Generate(filepath.Join(dir, "seal.key")); err != nil {
		b.Fatal(err)
	}
	for i := range b.N {
		user := fmt.Sprintf("bench%05d", i)
		sb.Manager.Add(sandbox.Task{
			ID: fmt.Sprintf("b%05d", i), Domain: sandbox.BoardDomain, Email: user + "@mail.sandbox.test", Username: user,
			Password: "Bench-word-" + user, FirstName: "Ada", LastName: "Kowalska", Location: "Łódź",
			About: "<p>writes about kites</p>", Website: "https://example.com/" + user, AvatarURL: sb.Images.Avatar(user),
		})
	}
	b.ResetTimer()
	out, err := exec.CommandContext(b.Context(), binary, "run", "--once", "-c", config).CombinedOutput()
	b.StopTimer()
	if n := sb.Manager.Count(sandbox.StateProfiled); err != nil || n != b.N {
		tail := out[max(0, len(out)-4000):]
		b.Fatalf("%d of %d tasks were profiled (%v)\n%s", n, b.N, err, bytes.TrimSpace(tail))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Minutes(), "tasks/min")
}
