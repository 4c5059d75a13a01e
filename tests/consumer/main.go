// Command consumer is a component on the seed as most are: client-go with a kubeconfig that has a
// tokenFile, and not one line of its own about tokens.
//
// Each of -clients begins -stagger after the one before, and asks the shoot once a -beat who it is.
// One line of JSON on stdout tells what came of each request. The command ends when stdin does, so
// it never outlives the test that started it.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authentication "k8s.io/client-go/kubernetes/typed/authentication/v1"
	"k8s.io/client-go/tools/clientcmd"
)

// answerMax is the longest wait for one answer.
const answerMax = 20 * time.Second

// use is what came of one request. The id of a token says which it was and opens nothing.
type use struct {
	Client  int    `json:"client"`
	User    string `json:"user,omitempty"`
	TokenID string `json:"token_id,omitempty"`
	Error   string `json:"error,omitempty"`
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "path of the kubeconfig")
	clients := flag.Int("clients", 1, "clients, each with a token cache of its own")
	stagger := flag.Duration("stagger", 0, "between the first requests of two clients")
	beat := flag.Duration("beat", time.Second, "between two requests of one client")
	flag.Parse()

	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	uses := make(chan use)
	var running sync.WaitGroup
	for number := range *clients {
		running.Go(func() {
			if pause(ctx, time.Duration(number)**stagger) {
				consume(ctx, number, *kubeconfig, *beat, uses)
			}
		})
	}
	go func() {
		running.Wait()
		close(uses)
	}()
	if err := report(uses, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// report writes until the channel is closed.
func report(uses <-chan use, to io.Writer) error {
	lines := json.NewEncoder(to)
	for use := range uses {
		if err := lines.Encode(use); err != nil {
			return err
		}
	}
	return nil
}

// consume makes a client as a component does at its start, and uses that one until the end.
func consume(ctx context.Context, number int, kubeconfig string, beat time.Duration, uses chan<- use) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		uses <- use{Client: number, Error: err.Error()}
		return
	}
	client, err := authentication.NewForConfig(config)
	if err != nil {
		uses <- use{Client: number, Error: err.Error()}
		return
	}
	for {
		uses <- ask(client, number)
		if !pause(ctx, beat) {
			return
		}
	}
}

// ask is not ended by the end of the command: a request that was begun is told.
func ask(client authentication.AuthenticationV1Interface, number int) use {
	ctx, cancel := context.WithTimeout(context.Background(), answerMax)
	defer cancel()
	review := &authenticationv1.SelfSubjectReview{}
	answer, err := client.SelfSubjectReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return use{Client: number, Error: err.Error()}
	}
	user := answer.Status.UserInfo
	told := use{Client: number, User: user.Username}
	// Written by the API server: the id of the token that it has just accepted.
	for _, id := range user.Extra["authentication.kubernetes.io/credential-id"] {
		told.TokenID = id
	}
	return told
}

// pause says whether to go on.
func pause(ctx context.Context, length time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(length):
		return true
	}
}
