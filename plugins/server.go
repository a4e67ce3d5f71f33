package plugins

import (
	"context"
	"log/slog"
	"sync"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/plugins/proto"
)

// driverServer serves a Host in the plugin process.
type driverServer struct {
	proto.UnimplementedDriverServer
	host   Host
	broker *goplugin.GRPCBroker

	mu       sync.Mutex
	services proto.ServicesClient // dialled at the first run
	conn     *grpc.ClientConn     // of services
	run      string               // under way, empty when none is
	cancel   context.CancelFunc
	stopped  string // the last run that Stop named before it came
}

func (d *driverServer) Manifest(ctx context.Context, r *proto.ManifestRequest) (*proto.ManifestReply, error) {
	ref, err := unpack(r.GetDriver())
	if err != nil {
		return nil, proto.ToStatus(err)
	}
	m, err := d.host.Manifest(ctx, ref)
	if err != nil {
		return nil, proto.ToStatus(err)
	}
	pm, err := proto.FromManifest(m)
	if err != nil {
		return nil, proto.ToStatus(err)
	}
	return &proto.ManifestReply{Manifest: pm}, nil
}

func (d *driverServer) Run(ctx context.Context, r *proto.RunRequest) (*proto.RunReply, error) {
	var cancel context.CancelFunc
	if r.GetTimeoutNs() > 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(r.GetTimeoutNs()))
	} else {
		ctx, cancel = context.WithCancel(ctx)
	}
	defer cancel()
	services, err := d.begin(r, cancel)
	if err != nil {
		return nil, err
	}
	defer d.end()
	ref, err := unpack(r.GetDriver())
	if err != nil {
		return nil, proto.ToStatus(err)
	}
	session := r.GetSession().Core(&remoteServices{client: services, run: r.GetRun()})
	o, err := d.host.Run(ctx, ref, core.Phase(r.GetPhase()), r.GetTask().Core(), session)
	if err != nil {
		return nil, proto.ToStatus(err)
	}
	return &proto.RunReply{Outcome: proto.FromOutcome(o)}, nil
}

// begin makes r the run under way.
func (d *driverServer) begin(r *proto.RunRequest, cancel context.CancelFunc) (proto.ServicesClient, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.run != "" {
		return nil, status.Error(codes.FailedPrecondition, "a run is under way in this process")
	}
	if r.GetRun() == "" {
		return nil, status.Error(codes.InvalidArgument, "the run has no name")
	}
	if d.services == nil {
		conn, err := d.broker.DialWithOptions(r.GetServices(), DialOptions()...)
		if err != nil {
			return nil, status.Error(codes.Unavailable, "connecting to the runner's services: "+err.Error())
		}
		d.services, d.conn = proto.NewServicesClient(conn), conn
	}
	d.run, d.cancel = r.GetRun(), cancel
	if d.stopped == d.run {
		cancel()
	}
	return d.services, nil
}

// hangUp ends the connection to the runner's services, in a process that goes on.
func (d *driverServer) hangUp() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn != nil {
		d.conn.Close()
		d.services, d.conn = nil, nil
	}
}

func (d *driverServer) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.run, d.cancel = "", nil
}

func (d *driverServer) Stop(_ context.Context, r *proto.StopRequest) (*proto.StopReply, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.run == r.GetRun() && d.cancel != nil {
		d.cancel()
	} else {
		d.stopped = r.GetRun()
	}
	return &proto.StopReply{}, nil
}

// logTimeout bounds a log line, which is sent after its context ended, too.
const logTimeout = 2 * time.Second

// remoteServices is core.Services in the plugin process.
type remoteServices struct {
	client proto.ServicesClient
	run    string
}

var (
	_ core.Services     = (*remoteServices)(nil)
	_ core.CookieKeeper = (*remoteServices)(nil)
	_ core.AssetReader  = (*remoteServices)(nil)
)

// Cookies implements core.CookieKeeper.
func (s *remoteServices) Cookies(ctx context.Context) ([]core.Cookie, error) {
	r, err := s.client.Cookies(ctx, &proto.CookiesRequest{Run: s.run})
	return proto.Cookies(r.GetCookies()), fromService(ctx, err)
}

// KeepCookies implements core.CookieKeeper.
func (s *remoteServices) KeepCookies(ctx context.Context, all []core.Cookie) error {
	_, err := s.client.Cookies(ctx, &proto.CookiesRequest{Run: s.run, Keep: true, Cookies: proto.FromCookies(all)})
	return fromService(ctx, err)
}

// ReadAsset implements core.AssetReader.
func (s *remoteServices) ReadAsset(ctx context.Context, name string, fit core.Fit) (string, []byte, error) {
	r, err := s.client.ReadAsset(ctx, &proto.AssetRequest{Run: s.run, Name: name, Fit: proto.FromFit(fit)})
	return r.GetFile(), r.GetData(), fromService(ctx, err)
}

func (s *remoteServices) Commit(ctx context.Context, name string, facts core.Facts) error {
	_, err := s.client.Commit(ctx, &proto.CommitRequest{Run: s.run, Name: name, Facts: proto.FromFacts(facts)})
	return fromService(ctx, err)
}

func (s *remoteServices) Committed(ctx context.Context, name string) error {
	_, err := s.client.Committed(ctx, &proto.CommittedRequest{Run: s.run, Name: name})
	return fromService(ctx, err)
}

func (s *remoteServices) Mail(ctx context.Context, q core.MailQuery) (core.MailMessage, error) {
	r, err := s.client.Mail(ctx, &proto.MailRequest{Run: s.run, Query: proto.FromMailQuery(q)})
	return r.GetMessage().Core(), fromService(ctx, err)
}

func (s *remoteServices) TOTP(ctx context.Context) (core.Value, error) {
	r, err := s.client.TOTP(ctx, &proto.TOTPRequest{Run: s.run})
	return r.GetCode().Core(), fromService(ctx, err)
}

func (s *remoteServices) EnrolTOTP(ctx context.Context, secret core.Value) error {
	_, err := s.client.EnrolTOTP(ctx, &proto.EnrolTOTPRequest{Run: s.run, Secret: proto.FromValue(secret)})
	return fromService(ctx, err)
}

func (s *remoteServices) Asset(ctx context.Context, name string, fit core.Fit) (string, error) {
	r, err := s.client.Asset(ctx, &proto.AssetRequest{Run: s.run, Name: name, Fit: proto.FromFit(fit)})
	return r.GetPath(), fromService(ctx, err)
}

func (s *remoteServices) Human(ctx context.Context, ask core.Ask) (core.Answer, error) {
	r, err := s.client.Human(ctx, &proto.HumanRequest{Run: s.run, Ask: proto.FromAsk(ask)})
	return r.GetAnswer().Core(), fromService(ctx, err)
}

func (s *remoteServices) Log(ctx context.Context, level slog.Level, msg string, args ...any) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), logTimeout)
	defer cancel()
	r := proto.FromLog(level, msg, args...)
	r.Run = s.run
	// A line that can't be delivered has nowhere else to go.
	_, _ = s.client.Log(ctx, r)
}

func (s *remoteServices) Shot(ctx context.Context, label string) error {
	_, err := s.client.Shot(ctx, &proto.ShotRequest{Run: s.run, Label: label})
	return fromService(ctx, err)
}

// fromService restores a service's error; when the caller's own context ended
// first, it is that context's error.
func fromService(ctx context.Context, err error) error {
	if err != nil && !proto.Crossed(err) && ctx.Err() != nil {
		return ctx.Err()
	}
	return proto.FromStatus(err)
}
