// Package masking says who may see what, and what a masked value looks like.
package masking
