#include "check.h"
#include "csv.h"
#include "render.h"

static void renders(const char *csv, void (*render)(const struct table *, struct buffer *), const char *wanted)
{
    struct table t;
    struct buffer out;
    table_init(&t);
    buffer_init(&out);
    csv_parse(&t, csv);
    render(&t, &out);
    CHECK_TEXT(out.text, wanted);
    table_free(&t);
    buffer_free(&out);
}

void test_render(void)
{
    renders("name,mass\nMars,0.642\nEarth,5.97\n", render_text, "name   mass\nMars   0.642\nEarth   5.97\n");
    renders("a,b\nç,1\n", render_text, "a  b\nç  1\n");
    renders("a,b\nx\"y,1\n", render_json, "[\n  {\"a\": \"x\\\"y\", \"b\": 1}\n]\n");
    renders("a\n007\n-0.5\n.5\n", render_json, "[\n  {\"a\": \"007\"},\n  {\"a\": -0.5},\n  {\"a\": \".5\"}\n]\n");
    renders("a\n", render_json, "[]\n");
}
