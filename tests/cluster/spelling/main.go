// Command spelling says how Go and Kubernetes read what stands in annotations: durations, booleans,
// names, labels and label selectors. The Rust tests of crates/core compare with what it wrote into
// crates/core/testdata. Anew, from tests/cluster: go run ./spelling ../../crates/core/testdata
//
// The second argument is how many random cases come beside the chosen ones, 120 by default. They are
// the same each time.
package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1/validation"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	selection "k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// read is one text, and what it means; nothing where it is refused.
type read struct {
	Text   string            `json:"text"`
	Ns     *int64            `json:"ns,omitempty"`
	Bool   *bool             `json:"bool,omitempty"`
	Kinds  []string          `json:"kinds,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
	// Selected has a 1 for each of labelled that the selector selects, and a 0 for others.
	Selected string `json:"selected,omitempty"`
	Good     bool   `json:"good"`
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: spelling FOLDER [COUNT]")
		os.Exit(2)
	}
	count := 120
	if len(os.Args) > 2 {
		count, _ = strconv.Atoi(os.Args[2])
	}
	random := rand.New(rand.NewSource(5))
	for name, table := range map[string][]read{
		"durations": each(texts(random, count, durations, durationParts), duration),
		"booleans":  each(texts(random, count/4, booleans, booleanParts), boolean),
		"names":     each(texts(random, count, names, nameParts), kinds),
		"labels":    each(texts(random, count, labels, labelParts), labelObject),
		"selectors": each(texts(random, 2*count, selectors, selectorParts), selector),
	} {
		if err := write(filepath.Join(os.Args[1], name+".jsonl"), table); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// texts are the chosen ones and random rows of parts, each text once.
func texts(random *rand.Rand, count int, chosen, parts []string) []string {
	seen := map[string]bool{}
	var all []string
	add := func(text string) {
		if !seen[text] {
			seen[text] = true
			all = append(all, text)
		}
	}
	for _, text := range chosen {
		add(text)
	}
	for len(all) < len(chosen)+count {
		var text strings.Builder
		for range 1 + random.Intn(6) {
			text.WriteString(parts[random.Intn(len(parts))])
		}
		add(text.String())
	}
	return all
}

func each(texts []string, read_ func(string) read) []read {
	var table []read
	for _, text := range texts {
		row := read_(text)
		row.Text = text
		table = append(table, row)
	}
	return table
}

func duration(text string) read {
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return read{}
	}
	ns := int64(parsed)
	return read{Ns: &ns, Good: true}
}

func boolean(text string) read {
	parsed, err := strconv.ParseBool(text)
	if err != nil {
		return read{}
	}
	return read{Bool: &parsed, Good: true}
}

// kinds are what the API server takes as a name of.
func kinds(text string) read {
	var kinds []string
	for _, kind := range []struct {
		name     string
		validate apivalidation.ValidateNameFunc
	}{
		{"namespace", apivalidation.ValidateNamespaceName},
		{"serviceaccount", apivalidation.ValidateServiceAccountName},
		{"secret", apivalidation.NameIsDNSSubdomain},
	} {
		if len(kind.validate(text, false)) == 0 && text != "" {
			kinds = append(kinds, kind.name)
		}
	}
	return read{Kinds: kinds, Good: len(kinds) > 0}
}

// labelObject reads as the reference does, and then as an API server looks at labels.
func labelObject(text string) read {
	labels := map[string]string{}
	if err := json.Unmarshal([]byte(text), &labels); err != nil {
		return read{}
	}
	if len(metav1.ValidateLabels(labels, field.NewPath("labels"))) > 0 {
		return read{}
	}
	return read{Labels: labels, Good: true}
}

// selector reads as kubectl and the API server do.
func selector(text string) read {
	parsed, err := selection.Parse(text)
	if err != nil {
		return read{}
	}
	var selected strings.Builder
	for _, own := range labelled {
		if parsed.Matches(selection.Set(own)) {
			selected.WriteByte('1')
		} else {
			selected.WriteByte('0')
		}
	}
	return read{Selected: selected.String(), Good: true}
}

func write(path string, table []read) error {
	var lines strings.Builder
	for _, row := range table {
		line, err := json.Marshal(row)
		if err != nil {
			return err
		}
		lines.Write(line)
		lines.WriteByte('\n')
	}
	return os.WriteFile(path, []byte(lines.String()), 0o644)
}
