// A SUBSTITUTE for a vCenter: the simulator of the govmomi project, one datacenter DC0 with datastores that are directories
// in $TMPDIR. It ends, and removes them, at an interrupt.
//
//	vcenter_substitute -listen 127.0.0.1:8443 -user U -password P -datastores 2 -certificate C.pem -key K.pem
package main

import (
	"crypto/tls"
	"flag"
	"log"
	"net/url"
	"os"
	"os/signal"

	"github.com/vmware/govmomi/simulator"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8443", "address and port")
	user := flag.String("user", "glance", "who may log in")
	password := flag.String("password", "", "and with what")
	datastores := flag.Int("datastores", 2, "how many datastores there are")
	certificate := flag.String("certificate", "", "PEM file")
	key := flag.String("key", "", "PEM file")
	flag.Parse()

	pair, err := tls.LoadX509KeyPair(*certificate, *key)
	if err != nil {
		log.Fatal(err)
	}
	model := simulator.VPX()
	model.Datastore, model.Machine = *datastores, 0
	if err := model.Create(); err != nil {
		log.Fatal(err)
	}
	defer model.Remove()
	model.Service.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	model.Service.Listen = &url.URL{Host: *listen, User: url.UserPassword(*user, *password)}
	model.Service.RegisterEndpoints = true
	server := model.Service.NewServer()
	defer server.Close()

	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	<-interrupted
}
