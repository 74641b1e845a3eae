package config

import "os"

// ReadYAML decodes a file of another program part into target, a pointer to a
// struct whose json tags are the keys, as strictly as [Load] reads its own.
func ReadYAML(path string, target any) []Problem {
	data, err := os.ReadFile(path)
	if err != nil {
		return []Problem{{File: path, Message: fileError("read", err)}}
	}
	root, problems := parseYAML(path, data)
	if root == nil {
		return problems
	}
	return append(problems, decode(root, target)...)
}
