package sample

import (
	"fmt"
	"strings"
)

// residentID completes the 17 digits of a resident identity number with its
// check character: ISO 7064 MOD 11-2, GB 11643-1999.
func residentID(digits string) string {
	weights := [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	sum := 0
	for i, weight := range weights {
		sum += int(digits[i]-'0') * weight
	}
	return digits + string("10X98765432"[sum%11])
}

// luhn completes a card number with its check digit: ISO/IEC 7812-1.
func luhn(digits string) string {
	sum := 0
	for i := range len(digits) {
		n := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 { // the check digit to come is the one that is not doubled
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return digits + string(rune('0'+(10-sum%10)%10))
}

// organisationCode completes 8 characters with their check character: GB 11714-1997.
func organisationCode(code string) string {
	weights := [8]int{3, 7, 9, 10, 5, 8, 4, 2}
	sum := 0
	for i, weight := range weights {
		sum += strings.IndexByte("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", code[i]) * weight
	}
	return code + string("0X987654321"[sum%11])
}

// creditSigns are the characters of a unified social credit code.
const creditSigns = "0123456789ABCDEFGHJKLMNPQRTUWXY"

// creditCode completes the 17 characters of a unified social credit code with
// its check character: GB 32100-2015.
func creditCode(code string) string {
	sum, weight := 0, 1
	for i := range len(code) {
		sum += strings.IndexByte(creditSigns, code[i]) * weight
		weight = weight * 3 % 31
	}
	return code + string(creditSigns[(31-sum%31)%31])
}

// uuid formats 128 bits as a random (version 4) UUID.
func uuid(high, low uint64) string {
	high = high&^0xf000 | 0x4000
	low = low&^(3<<62) | 2<<62
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", high>>32, high>>16&0xffff, high&0xffff, low>>48, low&(1<<48-1))
}
