// Package masking says who may see what, and what a masked value looks like.
//
// A [Spec] is the policy file as plain data; [Compile] checks it and makes an
// immutable [Policy]. [Policy.Match] finds a caller's [Role], [Policy.Label] a
// column's [Label], and [Role.Mask] the [Mask] that stands between the two.
// [Apply] is how a value is masked: it runs the mask and enforces the laws that
// every masked value obeys, whatever the mask does; [Fit] prepares the same for
// many values of one type:
//
//   - NULL stays NULL: it is never handed to a mask. JSON's null stays null.
//   - The output is not the input. The one exception is the neutral value of
//     the type ([Neutral]), which is the same for every input and tells nothing;
//     making an exception where the input happens to be neutral would tell.
//   - The output is a valid value of the column's type and no longer than the
//     column allows; what cannot be becomes the neutral value, and where a type
//     has none, NULL.
//   - A value too short to be masked in part is masked whole: what remains is at
//     most half of it, or two thirds if four characters are hidden (138****8000),
//     or a surname, or a domain. Characters are counted, not bytes; text that is
//     not UTF-8 is masked whole.
//   - A mask depends on the value, the type and the key alone, never writes into
//     its input and does not allocate.
//
// A document with labelled JSON paths is the other exception to the second law:
// the document comes back with the labelled values masked, so one that has none
// of them comes back as it is.
//
// The package knows no SQL, no protocol and no file. It appends to buffers that
// the caller owns; dst must not overlap the input.
//
// The masks are named after the techniques of ISO/IEC 20889
// (https://www.iso.org/standard/69373.html); all of them de-identify, none
// makes data anonymous.
package masking
