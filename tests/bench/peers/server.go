// The small server of net/http that tests/bench/run.sh compares with: server PORT.
package main

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"syscall"
)

const soReusePort = 15 // of asm-generic/socket.h; package syscall does not name it on every processor

var body = []byte("ok\n")

func reusePort(_, _ string, connection syscall.RawConn) error {
	var result error
	err := connection.Control(func(fd uintptr) {
		result = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, soReusePort, 1)
	})
	if err != nil {
		return err
	}
	return result
}

func answer(writer http.ResponseWriter) {
	writer.Header().Set("Content-Type", "text/plain; charset=utf-8")
	writer.Write(body)
}

func main() {
	config := net.ListenConfig{Control: reusePort}
	listener, err := config.Listen(context.Background(), "tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/small", func(writer http.ResponseWriter, _ *http.Request) { answer(writer) })
	http.HandleFunc("/upload", func(writer http.ResponseWriter, request *http.Request) {
		io.Copy(io.Discard, request.Body)
		answer(writer)
	})
	log.Fatal(http.Serve(listener, nil))
}
