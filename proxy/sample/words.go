package sample

// The words that names, addresses and remarks are put together from. The
// roads, companies and remarks are invented; the names are common ones, drawn
// at random.

var surnames = []string{
	"王", "李", "张", "刘", "陈", "杨", "黄", "赵", "吴", "周", "徐", "孙", "马", "朱", "胡", "郭", "何", "林", "高", "罗",
	"郑", "梁", "谢", "宋", "唐", "许", "韩", "邓", "冯", "曹", "彭", "曾", "肖", "田", "董", "潘", "袁", "蔡", "蒋", "余",
	"欧阳", "司马", "上官", "诸葛", "司徒", "慕容", "皇甫", "令狐",
}

var givenNames = []string{
	"伟", "芳", "娜", "敏", "静", "丽", "强", "磊", "军", "洋", "勇", "艳", "杰", "娟", "涛", "明", "超", "秀英", "霞", "平",
	"子涵", "一诺", "浩宇", "欣怡", "宇轩", "梓萱", "雨桐", "思远", "嘉懿", "文博", "晓东", "建国", "志强", "丽华", "海燕", "春梅",
}

var minorityNames = []string{"阿依古丽·买买提", "巴特尔·苏和", "古丽娜尔·艾力", "扎西·多吉", "迪丽娜·阿不都"}

var latinFirst = []string{
	"Ann", "Ben", "Clara", "David", "Elena", "Felix", "Grace", "Hugo", "Iris", "Jonas", "Karin", "Leo", "Maria", "Noah",
	"Olga", "Paul", "Rosa", "Simon", "Tessa", "Victor", "Zoë", "René", "Søren", "Łucja",
}

var latinLast = []string{
	"Almeida", "Berg", "Castle", "Dumont", "Eriksen", "Fischer", "Garcia", "Hansen", "Ivanova", "Jensen", "Keller", "Lindqvist",
	"Moreau", "Novak", "O'Brien", "Petersen", "Rossi", "Schmidt-Weber", "Turner", "Vogel", "Ångström", "Żak",
}

var mailDomains = []string{"example.com", "example.net", "example.org"}

// prefixes of mobile numbers which are not given out.
var mobilePrefixes = []string{"154", "161", "163", "164", "168"}

// cardPrefixes are issuer numbers of test cards, with the length of a number.
var cardPrefixes = []struct {
	digits string
	length int
}{{"620000", 19}, {"620000", 16}, {"411111", 16}, {"555555", 16}}

// places pairs the first six digits of a resident id with the district.
var places = []struct{ code, region, district string }{
	{"110101", "北京", "北京市东城区"},
	{"310101", "上海", "上海市黄浦区"},
	{"440103", "广东", "广州市荔湾区"},
	{"440305", "广东", "深圳市南山区"},
	{"330106", "浙江", "杭州市西湖区"},
	{"510104", "四川", "成都市锦江区"},
	{"420102", "湖北", "武汉市江岸区"},
	{"610102", "陕西", "西安市新城区"},
	{"320102", "江苏", "南京市玄武区"},
	{"370202", "山东", "青岛市市南区"},
	{"210202", "辽宁", "大连市中山区"},
	{"350203", "福建", "厦门市思明区"},
}

var roads = []string{"样例路", "示范大街", "测试二路", "模拟巷", "虚构里", "例证南路", "演示东街"}

var companyWords = []string{"星舟", "云栖", "禾光", "远图", "青岚", "拓野", "知微", "恒衡", "简帆", "沐石", "朗界", "初晴"}

var industries = []string{"科技", "贸易", "餐饮管理", "文化传媒", "供应链", "建筑工程", "医疗器械", "教育咨询"}

var tags = []string{"vip", "new", "回访", "投诉", "企业主", "newsletter", "overdue", "推荐"}

var remarks = []string{
	"客户希望周末联系", "asked for a call back", "已寄出资料", "price too high", "需要发票", "referred by a friend", "", "合同待签",
}

var orderStates = []string{"new", "paid", "shipped", "closed", "refunded"}
