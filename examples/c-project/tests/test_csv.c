#include "check.h"
#include "csv.h"

static void round_trip(const char *text, const char *wanted)
{
    struct table t;
    struct buffer out;
    table_init(&t);
    buffer_init(&out);
    CHECK(csv_parse(&t, text) == 0);
    csv_write(&t, &out);
    CHECK_TEXT(out.text, wanted);
    table_free(&t);
    buffer_free(&out);
}

void test_csv(void)
{
    struct table t;

    round_trip("a,b\n1,2\n", "a,b\n1,2\n");
    round_trip("a,b\r\n1,2", "a,b\n1,2\n");
    round_trip("a,b\n\n1\n", "a,b\n1,\n");
    round_trip("a\n\"x, \"\"y\"\"\nz\"\n", "a\n\"x, \"\"y\"\"\nz\"\n");
    round_trip("a,b\n,\n", "a,b\n,\n");

    table_init(&t);
    CHECK(csv_parse(&t, "a,b\n1,2\n3,\"4\n5,6\n") == 3);
    table_free(&t);

    table_init(&t);
    CHECK(csv_parse(&t, "") == 0);
    CHECK(t.header.count == 0 && t.rows.count == 0);
    table_free(&t);
}
