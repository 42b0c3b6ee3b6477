/* Each rule that refuses a GGUF, from files and pipes: the kind of failure and what the message says. */
#include "tests/unit/gguf_bad.h"
#include "tests/unit/gguf_open.h"

static void
each_rule_refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < BADS; i++) {
		struct maker m = bads[i].make();
		struct opened o = open_bytes(m.bytes.data, m.bytes.size, false);
		if (o.source || o.err.kind != bads[i].kind || !strstr(o.err.text, bads[i].words))
			fail_msg("%s: %s (kind %d)", bads[i].name, o.source ? "accepted" : o.err.text,
				o.err.kind);
		close_opened(&o);
		phi_buffer_free(&m.bytes);
	}
}

/* The same from a pipe, whose size is not known: refused at the latest where the bytes end, and without
 * memory for what was only claimed. */
static void
each_rule_refuses_pipes(void **state)
{
	(void)state;
	for (size_t i = 0; i < BADS; i++) {
		struct maker m = bads[i].make();
		struct opened o = open_bytes(m.bytes.data, m.bytes.size, true);
		if (o.source && !phi_source_finish(o.source, &o.err))
			fail_msg("%s: accepted", bads[i].name);
		close_opened(&o);
		phi_buffer_free(&m.bytes);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_refuses),
		cmocka_unit_test(each_rule_refuses_pipes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
