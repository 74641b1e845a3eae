package bench

// packets walks what a MySQL server sends and finds the rows in it, as far as that
// is needed here: one result for a command, no EOF behind the columns, and a first
// cell that is not empty, by which rows of text differ from binary ones.
type packets struct {
	mask  bool
	rows  bool   // packets are rows
	due   int    // columns that are not described yet
	all   int    // columns of the result
	fixed [2]int // size of the values of the first columns in binary rows, 0 where a length precedes them
}

// walk goes through complete packets, masks the third cell of rows if it is to,
// and returns where they end.
func (p *packets) walk(data []byte) (end int) {
	for end+4 <= len(data) {
		size := 4 + int(data[end]) + int(data[end+1])<<8 + int(data[end+2])<<16
		if end+size > len(data) {
			return end
		}
		if p.mask && size > 4 {
			p.packet(data[end+3], data[end+4:end+size])
		}
		end += size
	}
	return end
}

func (p *packets) packet(number byte, body []byte) {
	switch {
	case p.due > 0:
		p.describe(body)
	case p.rows && body[0] >= 0xfe: // their end, or an error
		p.rows = false
	case p.rows:
		p.maskThird(body)
	case number == 1 && len(body) == 1:
		p.all = int(body[0])
		p.due = p.all
	}
}

// describe takes a column's definition.
func (p *packets) describe(body []byte) {
	column := p.all - p.due
	p.due--
	p.rows = p.due == 0
	if column >= len(p.fixed) {
		return
	}
	for range 6 { // names
		body = body[1+int(body[0]):]
	}
	const long, longlong = 3, 8
	switch body[7] { // behind a length, the character set and the size
	case long:
		p.fixed[column] = 4
	case longlong:
		p.fixed[column] = 8
	default:
		p.fixed[column] = 0
	}
}

// maskThird overwrites the third cell of a row, if cells are shorter than 251 bytes.
func (p *packets) maskThird(row []byte) {
	binary := row[0] == 0
	if binary {
		row = row[1+(p.all+9)/8:] // the NULLs
	}
	for column := 0; len(row) > 0; column++ {
		size, head := int(row[0]), 1
		switch {
		case binary && column < len(p.fixed) && p.fixed[column] > 0:
			size, head = p.fixed[column], 0
		case size == 0xfb: // NULL
			size = 0
		}
		cell := row[head:min(len(row), head+size)]
		if column == 2 {
			overwrite(cell)
			return
		}
		row = row[head+len(cell):]
	}
}
