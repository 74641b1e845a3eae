// Package rewrite turns the text of a statement into a [Plan]: what its result
// columns are made of, which masks they get for one role, and what is refused.
// Unknown means refuse: what is not understood releases nothing to a role that
// has masks.
package rewrite
