package plugins

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"

	"github.com/rollcall-run/rollcall/core"
	"github.com/rollcall-run/rollcall/plugins/proto"
)

// DebugFlag makes a plugin that a person starts serve until it is interrupted,
// under a debugger for example, instead of saying that it is a plugin.
const DebugFlag = "--debug"

// ServeUntil serves driver from within this process until ctx ends, and gives
// ready the address that Dial takes. A panic of the driver is a *core.Fault of
// its run. The connection is not authenticated: it is for developing and tests.
func ServeUntil(ctx context.Context, driver core.Driver, ready func(address string)) {
	attach := make(chan *goplugin.ReattachConfig, 1)
	over := make(chan struct{})
	side := &border{host: single{driver, true}}
	go func() {
		goplugin.Serve(&goplugin.ServeConfig{
			HandshakeConfig:  Handshake,
			VersionedPlugins: map[int]goplugin.PluginSet{proto.Version: {DriverName: side}},
			GRPCServer:       newServer,
			Logger:           hclog.NewNullLogger(),
			Test:             &goplugin.ServeTestConfig{Context: ctx, ReattachConfigCh: attach, CloseCh: over},
		})
	}()
	select {
	case a := <-attach:
		ready(fmt.Sprintf("%d,%s,%s", a.ProtocolVersion, a.Addr.Network(), a.Addr.String()))
	case <-over:
	}
	<-over
	if side.server != nil {
		side.server.hangUp()
	}
}

// Dial connects to a driver that ServeUntil serves. Hang up with the function it
// returns; the driver goes on.
func Dial(address string) (*Client, func(), error) {
	parts := strings.SplitN(address, ",", 3)
	version, err := 0, errors.New("no version")
	if len(parts) == 3 {
		version, err = strconv.Atoi(parts[0])
	}
	if err != nil || parts[1] != "unix" {
		return nil, nil, fmt.Errorf("%q is no address of a plugin: start the plugin with %s and take the one it prints", address, DebugFlag)
	}
	if why := Mismatch("the plugin at "+address, version, proto.Version, ""); why != "" {
		return nil, nil, errors.New(why)
	}
	line := &attached{addr: &net.UnixAddr{Net: "unix", Name: parts[2]}, over: make(chan struct{})}
	probe, err := net.DialUnix("unix", nil, line.addr)
	if err != nil {
		return nil, nil, fmt.Errorf("no plugin answers at %s; start it with %s: %w", address, DebugFlag, err)
	}
	probe.Close()
	c := goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  Handshake,
		Plugins:          Contracts(proto.Version)[version],
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		GRPCDialOptions:  DialOptions(),
		Logger:           hclog.NewNullLogger(),
		Reattach: &goplugin.ReattachConfig{
			Protocol: goplugin.ProtocolGRPC, ProtocolVersion: version, Addr: line.addr, Test: true,
			ReattachFunc: func() (runner.AttachedRunner, error) { return line, nil },
		},
	})
	protocol, err := c.Client()
	if err != nil {
		line.hangUp()
		return nil, nil, fmt.Errorf("connect to the plugin at %s: %w", address, err)
	}
	conn := protocol.(*goplugin.GRPCClient).Conn
	raw, err := protocol.Dispense(DriverName)
	if err != nil {
		conn.Close()
		line.hangUp()
		return nil, nil, fmt.Errorf("connect to the plugin at %s: %w", address, err)
	}
	client := raw.(*Client)
	return client, sync.OnceFunc(func() {
		client.broker.Close()
		conn.Close()
		line.hangUp()
	}), nil
}

// attached is a plugin process that is not ours to wait for or to kill.
type attached struct {
	addr *net.UnixAddr
	over chan struct{}
	once sync.Once
}

var _ runner.AttachedRunner = (*attached)(nil)

func (a *attached) hangUp()                    { a.once.Do(func() { close(a.over) }) }
func (a *attached) Wait(context.Context) error { <-a.over; return nil }
func (a *attached) Kill(context.Context) error { a.hangUp(); return nil }
func (a *attached) ID() string                 { return a.addr.Name }

func (a *attached) PluginToHost(network, addr string) (string, string, error) {
	return network, addr, nil
}

func (a *attached) HostToPlugin(network, addr string) (string, string, error) {
	return network, addr, nil
}

// debug serves until an interrupt.
func debug(driver core.Driver) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ServeUntil(ctx, driver, func(address string) {
		fmt.Printf("serving %s until interrupted; in a second terminal:\n  rollcall driver test --reattach '%s'\n  rollcall run --reattach '%s'\n", driver.Manifest().Name, address, address)
	})
}
