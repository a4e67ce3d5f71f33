package main_test

import (
	"bufio"
	"compress/zlib"
	bin "encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"
	"time"
)

// mostMemory is what one slot may take of the machine while a site attacks it, in
// bytes: a picture that is decoded to its 3.6 GB, or a page kept twice, is more.
const mostMemory = 2 << 30

// watchMemory adds up what this process's children and theirs have for themselves,
// again and again. The returned function ends that and gives the most that it was.
func watchMemory() (peak func() int64) {
	stop, ended := make(chan struct{}), make(chan int64)
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		var most int64
		for {
			var sum int64
			for _, p := range descendants(os.Getpid()) {
				sum += ownMemory(p.pid)
			}
			most = max(most, sum)
			select {
			case <-tick.C:
			case <-stop:
				ended <- most
				return
			}
		}
	}()
	return func() int64 {
		close(stop)
		return <-ended
	}
}

// ownMemory is what a process has in memory and shares with no file, in bytes.
func ownMemory(pid int) (n int64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		var kb int64
		if _, err := fmt.Sscanf(line, "RssAnon: %d kB", &kb); err == nil {
			n += kb << 10
		}
	}
	return n
}

// bombPNG writes a picture of one colour, a few bytes for each of its rows: it
// is small on the wire and gigabytes once decoded.
func bombPNG(w io.Writer, width, height int) error {
	out := bufio.NewWriter(w)
	var err error
	chunk := func(kind string, data []byte) {
		var size [4]byte
		bin.BigEndian.PutUint32(size[:], uint32(len(data)))
		sum := crc32.NewIEEE()
		io.WriteString(sum, kind)
		sum.Write(data)
		for _, part := range [][]byte{size[:], []byte(kind), data, bin.BigEndian.AppendUint32(nil, sum.Sum32())} {
			if _, werr := out.Write(part); werr != nil {
				err = werr
			}
		}
	}
	io.WriteString(out, "\x89PNG\r\n\x1a\n")
	head := bin.BigEndian.AppendUint32(bin.BigEndian.AppendUint32(nil, uint32(width)), uint32(height))
	chunk("IHDR", append(head, 1, 0, 0, 0, 0)) // one bit a pixel, grey
	packed := writerFunc(func(p []byte) (int, error) {
		chunk("IDAT", p)
		return len(p), err
	})
	buffered := bufio.NewWriterSize(packed, 32<<10)
	z := zlib.NewWriter(buffered)
	row := make([]byte, 1+(width+7)/8)
	for range height {
		if _, werr := z.Write(row); werr != nil {
			return werr
		}
	}
	if cerr := z.Close(); cerr != nil {
		return cerr
	}
	if ferr := buffered.Flush(); ferr != nil {
		return ferr
	}
	chunk("IEND", nil)
	if ferr := out.Flush(); ferr != nil {
		return ferr
	}
	return err
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
