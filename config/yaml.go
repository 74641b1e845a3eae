package config

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// mostNesting bounds how deeply values may nest in a file.
const mostNesting = 32

// parseYAML reads a file's one document; it is nil when the syntax is wrong.
func parseYAML(file string, data []byte) (*node, []Problem) {
	var document yaml.Node
	if err := yaml.Load(data, &document); err != nil {
		return nil, []Problem{syntaxProblem(file, err)}
	}
	c := converter{file: file}
	root := c.convert(document.Content[0], 0)
	return root, c.problems
}

// syntaxProblem turns the parser's error into one of ours.
func syntaxProblem(file string, err error) Problem {
	p := Problem{File: file, Message: "not YAML: " + err.Error()}
	var load *yaml.LoadError
	if errors.As(err, &load) {
		p.Line, p.Column, p.Message = load.Mark.Line, load.Mark.Column, "not YAML: "+load.Message
	}
	switch {
	case strings.Contains(p.Message, "no documents in stream"):
		p.Message = "the file is empty"
	case strings.Contains(p.Message, "expected single document"):
		p.Message = "the file has several documents (---); one is wanted"
	case strings.Contains(p.Message, "unknown anchor"):
		p.Message = "what begins with * must be in quotes"
	}
	return p
}

// A converter turns the parser's nodes into ours, and refuses what the files may
// not contain.
type converter struct {
	file     string
	problems []Problem
}

func (c *converter) convert(from *yaml.Node, depth int) *node {
	n := &node{file: c.file, line: from.Line, column: from.Column, text: from.Value, tag: from.ShortTag()}
	if from.Anchor != "" || from.Kind == yaml.AliasNode {
		c.problems = append(c.problems, n.problem("anchors and aliases are not supported; write the value out"))
		return n
	}
	if depth > mostNesting {
		c.problems = append(c.problems, n.problem("values nest too deeply"))
		return n
	}
	switch from.Kind {
	case yaml.MappingNode:
		n.kind = mapping
		c.pairs(n, from, depth)
	case yaml.SequenceNode:
		n.kind = sequence
		for _, item := range from.Content {
			n.items = append(n.items, c.convert(item, depth+1))
		}
	}
	return n
}

func (c *converter) pairs(n *node, from *yaml.Node, depth int) {
	lines := map[string]int{}
	for i := 0; i+1 < len(from.Content); i += 2 {
		key := c.convert(from.Content[i], depth+1)
		value := c.convert(from.Content[i+1], depth+1)
		line, twice := lines[key.text]
		switch {
		case key.kind != scalar:
			c.problems = append(c.problems, key.problem("a key must be a single value"))
			n.bad = true
		case key.tag == "!!merge":
			c.problems = append(c.problems, key.problem("merge keys are not supported; write the values out"))
			n.bad = true
		case twice:
			c.problems = append(c.problems, key.problem(fmt.Sprintf("key %q is there already, on line %d", key.text, line)))
		default:
			lines[key.text] = key.line
			n.pairs = append(n.pairs, pair{key, value})
		}
	}
}
