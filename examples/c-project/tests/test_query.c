#include "check.h"
#include "csv.h"
#include "filter.h"

#include <stdlib.h>

static const char planets[] = "name,mass,moons\nMars,0.642,2\nEarth,5.97,1\nSaturn,568,146\n";

static void keeps(const char *condition, size_t rows, const char *first)
{
    struct table t;
    table_init(&t);
    csv_parse(&t, planets);
    CHECK(filter_table(&t, condition) == FILTER_OK);
    CHECK(t.rows.count == rows);
    if (rows > 0)
        CHECK_TEXT(table_cell(&t, 0, 0), first);
    table_free(&t);
}

void test_query(void)
{
    struct table t;
    double value;

    keeps("mass>=5.97", 2, "Earth");
    keeps("mass<1", 1, "Mars");
    keeps("moons>9", 1, "Saturn"); /* as numbers: as text, "146" comes before "9" */
    keeps("name=Mars", 1, "Mars");
    keeps("name!=Mars", 2, "Earth");
    keeps("moons<=0", 0, "");

    table_init(&t);
    csv_parse(&t, planets);
    CHECK(filter_table(&t, "mass") == FILTER_SYNTAX);
    CHECK(filter_table(&t, "=3") == FILTER_SYNTAX);
    CHECK(filter_table(&t, "radius=3") == FILTER_COLUMN);
    CHECK(table_select(&t, "moons,name") == NULL);
    CHECK_TEXT(table_cell(&t, 2, 1), "Saturn");
    char *missing = table_select(&t, "name,mass");
    CHECK_TEXT(missing, "mass");
    free(missing);
    table_free(&t);

    CHECK(parse_number("-1.5e3", &value) && value == -1500.0);
    CHECK(!parse_number("", &value));
    CHECK(!parse_number("0x10", &value));
    CHECK(!parse_number("1 ", &value));
}
