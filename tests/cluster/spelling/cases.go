package main

import "strings"

var durations = []string{
	"12h", "1h30m", "30m1h", "1h1h", "1.5h", ".5m", "1.s", "+2s", "-2s", "0", "+0", "-0", "0s", "-0s", "00s",
	"", "+", "-", "+-1s", "--1s", "12", "h", ".", ".s", "-.s", "1d", "1w", "1y", "1 h", "1h ", " 1h", "1H", "1M",
	"1e3s", "1_000s", "0x10s", "1h30", "1h-30m", "1h+30m", "1,5h", "1:30", "1h:30m", "P1D", "PT1H", "one hour",
	"600s", "599.999999999s", "599.9999999999s", "600.9s", "10m", "9m59s", "9m59.9999999999s", "10m0s",
	"1193046h", "1193046h28m16s", "1193046h28m17s", "1193047h", "4294967296s", "4294967296.5s", "4294967297s",
	"100us", "100µs", "100μs", "100 µs", "1ns", "1.5ns", "0.9ns", "1ms1us1ns", "1m1ms", "1msm", "1mss",
	"9223372036854775807ns", "9223372036854775808ns", "-9223372036854775808ns", "-9223372036854775809ns",
	"9223372036.854775807s", "9223372036.854775808s", "2562047h47m16.854775807s", "2562047h47m16.854775808s",
	"-2562047h47m16.854775808s", "3000000h", "99999999999h", "9999999999999999999ns", "99999999999999999999ns",
	"0.3333333333333333333h", "0.333333333333333333333333333333h", "0.100000000000000000000h",
	"0.830103483285477580700h", "0.9223372036854775807h", "0.9223372036854775808h", "0.92233720368547758079h",
	"9007199254.740993s", "0.1666666666666666666h", "0.7h", "0.28h", "0.999999999999999999999s", "39h9m14.425s",
	"1.0000000000000000000000000000000000000000001h", "000000000000000000000000000012h", "1.h", "1..h", "1.5.h",
	"١h", "1ｈ", "12h\n", "\t12h", "12h\x00", "1µ", "1µs1μs", "infh", "NaNs",
}

var durationParts = []string{
	"0", "1", "2", "9", "10", "12", "59", "600", "0.5", ".25", "1.", "9223372036854775807", "1e3", "00",
	"h", "m", "s", "ms", "us", "µs", "ns", "h", "m", "s", "d", " ", "-", "+", ".", "H",
}

var booleans = []string{
	"1", "t", "T", "true", "TRUE", "True", "0", "f", "F", "false", "FALSE", "False",
	"", "yes", "no", "on", "off", "2", "-1", "00", "01", "tRUE", "trUe", "TrUE", "y", "n", "Y", "N", " true", "true ",
	"true\n", "\"true\"", "'true'", "null", "nil", "enabled", "wahr", "ｔrue", "true,false", "t t",
}

var booleanParts = []string{"t", "T", "f", "F", "1", "0", "true", "False", "rue", "RUE", " "}

var names = []string{
	"", "a", "0", "a-b", "a--b", "-a", "a-", "-", "a.b", "a..b", ".a", "a.", ".", "..", "a.-b", "a-.b", "a.b-", "1.2.3.4",
	"A", "Ab", "a_b", "a/b", "/", "../x", "./x", "a%2fb", "a%2Fb", "%2e%2e", "a?b", "a#b", "a b", " a", "a ", "a\nb", "a\n",
	"a\x00", "a\tb", "a:b", "a@b", "a\\b", "a;b", "a&b", "a=b", "a+b", "a,b", "a'b", "a\"b", "a*b", "a~b", "a|b", "a{b}",
	"ä", "а", "ａ", "a\u200bb", "a\u202eb", "ſ", "K", "ı", "😀", "xn--bcher-kva", "kube-system", "shoot--lab--1",
	strings.Repeat("a", 63), strings.Repeat("a", 64), strings.Repeat("a", 253), strings.Repeat("a", 254),
	strings.Repeat("a.", 126) + "a", strings.Repeat("a.", 127) + "a", strings.Repeat("a", 62) + "-",
	strings.Repeat("ä", 31), strings.Repeat("a", 64) + ".b", strings.Repeat("a", 64) + "/x", strings.Repeat("a", 64) + "A",
	strings.Repeat("a", 70) + "/../../secrets/x", "b." + strings.Repeat("a", 64) + "%2f", strings.Repeat("a", 64) + "-",
	"-" + strings.Repeat("a", 64), strings.Repeat("a", 40) + " " + strings.Repeat("a", 40), strings.Repeat("a", 64) + "\n",
}

var nameParts = []string{"a", "b", "0", "-", ".", "--", "z9", "A", "_", "/", "%", "kube-system", "..", "ä"}

var labels = []string{
	`{}`, ` {} `, `{"a":"b"}`, `{"a":""}`, `{"a":"b","a":"c"}`, `{"A":"B"}`, `{"a_b":"c.d"}`, `{"example.com/a":"b"}`,
	`{"Example.com/a":"b"}`, `{"example.com/":"b"}`, `{"/a":"b"}`, `{"a/b/c":"d"}`, `{"a.b.c/d":"e"}`, `{"a..b/c":"d"}`,
	`{"-a":"b"}`, `{"a-":"b"}`, `{"a b":"c"}`, `{"":"x"}`, `{"a":"-b"}`, `{"a":"b-"}`, `{"a":"b c"}`, `{"a":"no/slash"}`,
	`{"a":"ä"}`, `{"ä":"b"}`, `{"a":"\u0062"}`, `{"\u0061":"b"}`, `{"a":"\n"}`, `{"a":"\ud800"}`, `{"a":"b"}x`, `{"a":"b"}{}`,
	``, `{`, `}`, `[`, `[]`, `[1]`, `["a"]`, `"x"`, `1`, `true`, `app=x`, `a: b`, `{a:"b"}`, `{'a':'b'}`, `{"a":1}`, `{"a":true}`,
	`{"a":["b"]}`, `{"a":{"b":"c"}}`, `{"a":"b",}`, `{"a" "b"}`, `{"a":}`, `{"a"}`, `{"a":"b"`, `{"a":"b}`, `//x`, `{}//`,
	"{\"a\":\"b\n\"}", "{\"a\":\"b\"}\n", "\ufeff{}", `{"app.kubernetes.io/name":"vpn","k8s.io/x-y_z":"1.0"}`,
	`{"a":"` + strings.Repeat("b", 63) + `"}`, `{"a":"` + strings.Repeat("b", 64) + `"}`,
	`{"` + strings.Repeat("b", 63) + `":"c"}`, `{"` + strings.Repeat("b", 64) + `":"c"}`,
	`{"` + strings.Repeat("b", 253) + `/c":"d"}`, `{"` + strings.Repeat("b", 254) + `/c":"d"}`,
	`{"` + strings.Repeat("b", 64) + `.c/d":"e"}`,
}

var labelParts = []string{
	`{`, `}`, `"a"`, `:`, `,`, `"b"`, `{"a":"b"}`, `{"a":`, `{"x/y":"`, `"}`, `z`, `.`, `-`, `_`, ` `, `1`, `[`, `{}`, `"`,
}

var selectors = []string{
	"", " ", "a", "!a", "a=b", "a==b", "a!=b", "a = b", " a\t==\nb ", "a=", "a==", "a!=", "a=,b", "a,b", "a,!b", "a,b=c,d!=e",
	"a in (b)", "a in (b,c)", "a in(b)", "a in ( b , c )", "a notin (b)", "a notin (b,c)", "a in ()", "a notin ()", "a in (,)",
	"a in (b,)", "a in (,b)", "a in (b,,c)", "a in (,,)", "a in (b c)", "a in b", "a in (b", "a in b)", "a in", "a notin", "in", "notin",
	"in in (in)", "in=in", "!in", "in,notin", "notin notin (notin)", "a in (in,notin)", "a=in", "a=notin",
	"a>1", "a > 1", "a<10", "a>01", "a>-1", "a>+1", "a>", "a>b", "a>1.5", "a>9223372036854775807", "a>9223372036854775808", "a>1,a<3",
	"a>=1", "a=<1", "a=>1", "a<>1", "a===b", "a=!b", "a!==b", "a!b", "!a=b", "!!a", "! a", "!", "a!", "=b", "a,", ",a", ",", "a,,b",
	"(a)", "a)", "(", ")", "a b", "a~b", "a&b", "a;b", "a=b c", "a='b'", "a=\"b\"", "a in (\"b\")", "a=-b", "-a=b", "a=b/c", "a/b=c",
	"a.b/c=d", "a/b/c=d", "/a", "a/", "A=B", "a_b=c.d", "ä=b", "a=ä", "app.kubernetes.io/name=etcd",
	"resources.gardener.cloud/purpose=token-requestor", "resources.gardener.cloud/class in (shoot,seed)",
	"resources.gardener.cloud/class notin (shoot)", "a=" + strings.Repeat("b", 63), "a=" + strings.Repeat("b", 64),
	strings.Repeat("b", 63) + "=c", strings.Repeat("b", 64) + "=c",
}

var selectorParts = []string{
	"a", "b", "!", "=", "==", "!=", "in", "notin", " in (", " notin (", ")", ",", ",", ">", "<", " ", "1", "c", "a=b", "!a",
}

// labelled is what selectors are asked about; crates/core/src/selector/tests.rs has the same.
var labelled = []map[string]string{
	{}, {"a": ""}, {"a": "b"}, {"a": "c", "b": "c"}, {"a": "1"}, {"a": "2", "d": "e"}, {"a": "-1"}, {"in": "in", "notin": "notin"},
	{"resources.gardener.cloud/purpose": "token-requestor", "resources.gardener.cloud/class": "shoot"},
	{"app.kubernetes.io/name": "etcd", "c": "d"},
}
