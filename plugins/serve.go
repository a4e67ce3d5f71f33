package plugins

import (
	"context"
	"errors"
	"fmt"
	"os"
	stack "runtime/debug"
	"slices"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/plugins/proto"
)

// Handshake tells a rollcall plugin from other programs. Its version is the
// contract's; it is not a security measure.
var Handshake = goplugin.HandshakeConfig{
	ProtocolVersion:  proto.Version,
	MagicCookieKey:   "ROLLCALL_PLUGIN",
	MagicCookieValue: "d7a1f3a2-driver",
}

// DriverName is the one name that a rollcall plugin dispenses.
const DriverName = "driver"

// Contracts are the contracts that a runner of version current serves, by version.
func Contracts(current int) map[int]goplugin.PluginSet {
	sets := map[int]goplugin.PluginSet{}
	for _, v := range proto.Served(current) {
		sets[v] = goplugin.PluginSet{DriverName: &border{version: v}}
	}
	return sets
}

// Mismatch says why a runner of version current does not serve a process called
// name that speaks version, and what to do: cure, or when that is empty what a plugin
// needs. It is empty when the runner does.
func Mismatch(name string, version, current int, cure string) string {
	served := proto.Served(current)
	if slices.Contains(served, version) {
		return ""
	}
	ours := fmt.Sprintf("version %d", current)
	if len(served) > 1 {
		ours = fmt.Sprintf("versions %d and %d", served[0], served[1])
	}
	if cure == "" {
		cure = Rebuild
		if version > current {
			cure = "update rollcall, or " + cure
		}
	}
	return fmt.Sprintf("%s speaks version %d of the driver contract, this rollcall %s; %s", name, version, ours, cure)
}

// Rebuild is what to do with a plugin of another version.
const Rebuild = "rebuild it against this version of rollcall's plugins package"

// DialOptions are the options of a connection to a plugin.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{grpc.WithDefaultCallOptions(
		grpc.MaxCallRecvMsgSize(proto.MaxMessage), grpc.MaxCallSendMsgSize(proto.MaxMessage))}
}

// handlers is how many goroutines a server keeps for its calls. One whose stack has
// grown serves the next call too, and more are made where calls wait inside of others.
const handlers = 4

func newServer(opts []grpc.ServerOption) *grpc.Server {
	return grpc.NewServer(append(opts, grpc.NumStreamWorkers(handlers),
		grpc.MaxRecvMsgSize(proto.MaxMessage), grpc.MaxSendMsgSize(proto.MaxMessage))...)
}

// Host runs drivers by reference. A worker process serves one, and Client is one.
type Host interface {
	// Manifest is the manifest of the driver.
	Manifest(ctx context.Context, driver DriverRef) (core.Manifest, error)
	// Run does one phase of the driver, as core.Driver does.
	Run(ctx context.Context, driver DriverRef, phase core.Phase, task core.Task, session core.Session) (core.Outcome, error)
}

// Serve serves driver to the runner that started this process, and returns when
// the runner has gone. It is what main of a plugin calls; it takes over the
// standard streams. Started by a person with DebugFlag, the process serves until it
// is interrupted.
func Serve(driver core.Driver) {
	if len(os.Args) == 2 && os.Args[1] == DebugFlag && os.Getenv(Handshake.MagicCookieKey) == "" {
		debug(driver)
		return
	}
	serve(single{driver: driver}, nil)
}

// ServeWorker serves any number of drivers from one process. load makes the
// driver of a reference that has its source; it is called once per name and
// digest while the process remembers it. What load returns as error is the
// answer to the request, a *core.Fault as it is.
func ServeWorker(load func(DriverRef) (core.Driver, error)) {
	serve(&shelf{load: load}, os.Clearenv)
}

func serve(host Host, ready func()) {
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig:  Handshake,
		VersionedPlugins: map[int]goplugin.PluginSet{proto.Version: {DriverName: &border{host: host, ready: ready}}},
		GRPCServer:       newServer,
		Logger:           hclog.New(&hclog.LoggerOptions{Level: hclog.Error, Output: os.Stderr}),
	})
}

// border is the plugin in go-plugin's terms, on both of its sides.
type border struct {
	goplugin.NetRPCUnsupportedPlugin
	version int // of the contract, on the runner's side
	host    Host
	ready   func() // called once the process has read its environment
	server  *driverServer
}

var _ goplugin.GRPCPlugin = (*border)(nil)

// GRPCServer registers the driver in the plugin process.
func (b *border) GRPCServer(broker *goplugin.GRPCBroker, s *grpc.Server) error {
	if b.host == nil {
		return errors.New("this side serves no driver")
	}
	b.server = &driverServer{host: b.host, broker: broker}
	proto.RegisterDriverServer(s, b.server)
	if b.ready != nil {
		b.ready()
	}
	return nil
}

// GRPCClient makes the runner's side of a connection, a *Client.
func (b *border) GRPCClient(done context.Context, broker *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return newClient(done, broker, conn, b.version), nil
}

// single is the Host of a process that is one driver.
type single struct {
	driver core.Driver
	shared bool // the process has more to do than this: a panic must not end it
}

func (s single) Manifest(context.Context, DriverRef) (core.Manifest, error) {
	return s.driver.Manifest(), nil
}

func (s single) Run(ctx context.Context, _ DriverRef, phase core.Phase, task core.Task, session core.Session) (o core.Outcome, err error) {
	if s.shared {
		defer func() {
			if r := recover(); r != nil {
				o, err = core.Outcome{}, &core.Fault{Code: core.Crashed, Phase: phase, Why: fmt.Sprintf("the driver panicked: %v", r), Detail: string(stack.Stack())}
			}
		}()
	}
	return s.driver.Run(WithRun(ctx, Run{phase, task, s.driver.Manifest()}), phase, task, session)
}
