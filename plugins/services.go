package plugins

import (
	"context"
	"errors"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/plugins/proto"
)

// servicesServer serves the Services of the run under way to the plugin
// process, and refuses calls for any other.
type servicesServer struct {
	proto.UnimplementedServicesServer
	mu    sync.Mutex
	run   string
	impl  core.Services
	ctx   context.Context // ends with the run
	calls sync.WaitGroup

	logged func(bytes int)
}

// open admits calls for run until end, which ends those in progress and waits for them.
func (s *servicesServer) open(ctx context.Context, run string, impl core.Services) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	s.mu.Lock()
	s.run, s.impl, s.ctx = run, impl, ctx
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		s.run, s.impl, s.ctx = "", nil, nil
		s.mu.Unlock()
		cancel()
		s.calls.Wait()
	}
}

// begin admits one call of a run. The context ends with the call, the run or
// the task, whichever is first.
func (s *servicesServer) begin(ctx context.Context, run string) (context.Context, core.Services, func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run == "" || s.run != run {
		return nil, nil, nil, status.Error(codes.PermissionDenied, "that run is over, or is not this process' own")
	}
	if s.impl == nil {
		return nil, nil, nil, status.Error(codes.FailedPrecondition, "core.Session.Services is nil")
	}
	s.calls.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.ctx, cancel)
	return ctx, s.impl, func() { stop(); cancel(); s.calls.Done() }, nil
}

// call runs f for an admitted call and carries its error.
func call[R any](s *servicesServer, ctx context.Context, run string, f func(context.Context, core.Services) (*R, error)) (*R, error) {
	ctx, impl, done, err := s.begin(ctx, run)
	if err != nil {
		return nil, err
	}
	defer done()
	r, err := f(ctx, impl)
	if err != nil {
		return nil, proto.ToStatus(err)
	}
	return r, nil
}

func (s *servicesServer) Commit(ctx context.Context, r *proto.CommitRequest) (*proto.CommitReply, error) {
	return call(s, ctx, r.GetRun(), func(ctx context.Context, impl core.Services) (*proto.CommitReply, error) {
		return &proto.CommitReply{}, impl.Commit(ctx, r.GetName(), proto.CoreFacts(r.GetFacts()))
	})
}

func (s *servicesServer) Committed(ctx context.Context, r *proto.CommittedRequest) (*proto.CommittedReply, error) {
	return call(s, ctx, r.GetRun(), func(ctx context.Context, impl core.Services) (*proto.CommittedReply, error) {
		return &proto.CommittedReply{}, impl.Committed(ctx, r.GetName())
	})
}

func (s *servicesServer) Mail(ctx context.Context, r *proto.MailRequest) (*proto.MailReply, error) {
	return call(s, ctx, r.GetRun(), func(ctx context.Context, impl core.Services) (*proto.MailReply, error) {
		m, err := impl.Mail(ctx, r.GetQuery().Core())
		return &proto.MailReply{Message: proto.FromMailMessage(m)}, err
	})
}

func (s *servicesServer) TOTP(ctx context.Context, r *proto.TOTPRequest) (*proto.TOTPReply, error) {
	return call(s, ctx, r.GetRun(), func(ctx context.Context, impl core.Services) (*proto.TOTPReply, error) {
		code, err := impl.TOTP(ctx)
		return &proto.TOTPReply{Code: proto.FromValue(code)}, err
	})
}

func (s *servicesServer) EnrolTOTP(ctx context.Context, r *proto.EnrolTOTPRequest) (*proto.EnrolTOTPReply, error) {
	return call(s, ctx, r.GetRun(), func(ctx context.Context, impl core.Services) (*proto.EnrolTOTPReply, error) {
		return &proto.EnrolTOTPReply{}, impl.EnrolTOTP(ctx, r.GetSecret().Core())
	})
}

func (s *servicesServer) Asset(ctx context.Context, r *proto.AssetRequest) (*proto.AssetReply, error) {
	return call(s, ctx, r.GetRun(), func(ctx context.Context, impl core.Services) (*proto.AssetReply, error) {
		path, err := impl.Asset(ctx, r.GetName(), r.GetFit().Core())
		return &proto.AssetReply{Path: path}, err
	})
}

func (s *servicesServer) Human(ctx context.Context, r *proto.HumanRequest) (*proto.HumanReply, error) {
	return call(s, ctx, r.GetRun(), func(ctx context.Context, impl core.Services) (*proto.HumanReply, error) {
		a, err := impl.Human(ctx, r.GetAsk().Core())
		return &proto.HumanReply{Answer: proto.FromAnswer(a)}, err
	})
}

func (s *servicesServer) Log(ctx context.Context, r *proto.LogRequest) (*proto.LogReply, error) {
	return call(s, ctx, r.GetRun(), func(ctx context.Context, impl core.Services) (*proto.LogReply, error) {
		if s.logged != nil {
			s.logged(r.Size())
		}
		r.Emit(ctx, impl.Log)
		return &proto.LogReply{}, nil
	})
}

func (s *servicesServer) Cookies(ctx context.Context, r *proto.CookiesRequest) (*proto.CookiesReply, error) {
	return call(s, ctx, r.GetRun(), func(ctx context.Context, impl core.Services) (*proto.CookiesReply, error) {
		k, ok := impl.(core.CookieKeeper)
		switch {
		case !ok:
			return nil, errors.New("this visit keeps no cookies")
		case r.GetKeep():
			return &proto.CookiesReply{}, k.KeepCookies(ctx, proto.Cookies(r.GetCookies()))
		}
		all, err := k.Cookies(ctx)
		return &proto.CookiesReply{Cookies: proto.FromCookies(all)}, err
	})
}

func (s *servicesServer) ReadAsset(ctx context.Context, r *proto.AssetRequest) (*proto.ReadAssetReply, error) {
	return call(s, ctx, r.GetRun(), func(ctx context.Context, impl core.Services) (*proto.ReadAssetReply, error) {
		a, ok := impl.(core.AssetReader)
		if !ok {
			return nil, errors.New("this visit gives no images without a browser")
		}
		file, data, err := a.ReadAsset(ctx, r.GetName(), r.GetFit().Core())
		return &proto.ReadAssetReply{File: file, Data: data}, err
	})
}

func (s *servicesServer) Shot(ctx context.Context, r *proto.ShotRequest) (*proto.ShotReply, error) {
	return call(s, ctx, r.GetRun(), func(ctx context.Context, impl core.Services) (*proto.ShotReply, error) {
		return &proto.ShotReply{}, impl.Shot(ctx, r.GetLabel())
	})
}
