/* Run the native cut over files, built with sanitizers: each file is copied into memory of its very
   size, so that a byte read beyond it is found. Arguments: files, each cut in both ways, with arrays
   that are too small, without heads, and with heads that are known from the files before, in tables of
   several sizes; and several documents at once. Prints how many were cut. */

#include <stdio.h>
#include <stdlib.h>

#include "cut.c"

static Heads make_heads(int64_t capacity, int64_t bytes_capacity)
{
    Heads heads = {
        capacity, 2 * capacity, bytes_capacity, 1, 1, 1, 1, 0, 0, malloc(sizeof(Known) * capacity),
        malloc(sizeof(Origin) * capacity), malloc(sizeof(Call) * capacity),
        malloc(sizeof(Head) * capacity), malloc(4 * capacity), malloc(4 * capacity),
        calloc(2 * capacity, 4), calloc(2 * capacity, 4), calloc(2 * capacity, 4),
        calloc(2 * capacity, 4), malloc(bytes_capacity),
        calloc(SEEN_CALLERS, sizeof(SeenCaller)), 0,
    };
    return heads;
}

static void free_heads(Heads *heads)
{
    free(heads->known); free(heads->origin); free(heads->call); free(heads->head);
    free(heads->group_of); free(heads->stamp_of); free(heads->text_table);
    free(heads->origin_table); free(heads->call_table); free(heads->head_table);
    free(heads->bytes); free(heads->seen_callers);
}

static void forget_all(Heads *heads)
{
    Heads empty = *heads;
    empty.heads = empty.origins = empty.calls = empty.texts = 1;
    empty.bytes_end = empty.in_chunk = 0;
    forget_since(heads, &empty);
    for (int64_t i = 0; i < heads->table_size; i++)
        if (heads->text_table[i] || heads->origin_table[i] || heads->call_table[i]
            || heads->head_table[i]) abort();
}

/* Facts of some kind for each origin and call, the same whenever they are made. */
static Facts make_facts(const Heads *heads)
{
    int64_t all = heads->capacity;
    uint64_t *refused = malloc(8 * all), *asked = malloc(8 * all);
    int32_t *posting_of = malloc(4 * all), *observed_of = malloc(4 * all);
    int32_t *changed_of = malloc(4 * all);
    uint8_t *kinds = malloc(all);
    PostingName *names = calloc(all, sizeof(PostingName));
    for (int64_t i = 0; i < all; i++) {
        refused[i] = (uint64_t)(i % 3);
        asked[i] = (uint64_t)(i % 4);
        posting_of[i] = (int32_t)(i / 2);
        observed_of[i] = (int32_t)(i / 3);
        changed_of[i] = (int32_t)(i / 4);
        kinds[i] = (uint8_t)(i % 8);
        names[i].size = (uint8_t)(i % 16);
    }
    Facts facts = {
        refused, posting_of, observed_of, changed_of, asked, kinds, names, calloc(all, 1),
        malloc(4 * all), malloc(4 * all), malloc(4 * all), malloc(4 * all),
    };
    memset(facts.slot_of_origin, 0x5A, 4 * all);
    memset(facts.slot_of_posting, 0xFF, 4 * all);
    memset(facts.slot_of_observed, 0x00, 4 * all);
    memset(facts.slot_of_changed, 0x7F, 4 * all);
    return facts;
}

static void free_facts(Facts *facts)
{
    free((void *)facts->refused); free((void *)facts->asked); free((void *)facts->posting_of);
    free((void *)facts->observed_of); free((void *)facts->changed_of); free((void *)facts->kinds);
    free((void *)facts->posting_names); free(facts->has_called); free(facts->slot_of_origin);
    free(facts->slot_of_posting); free(facts->slot_of_observed); free(facts->slot_of_changed);
}

static Sums make_sums(const Cut *cut, int64_t records, int64_t groups, int64_t lists_origins)
{
    int64_t size = records + 1;
    Sums sums = {
        size, records, groups, cut->groups, cut->ends, cut->numbers, cut->firsts,
        cut->lasts, lists_origins, malloc(sizeof(SumCounts)), malloc(4 * size), malloc(8 * size),
        malloc(8 * size), malloc(4 * size), malloc(8 * size), malloc(8 * size), malloc(4 * size),
        malloc(8 * size), malloc(8 * size), malloc(4 * size), malloc(4 * size), malloc(4 * size),
        malloc(4 * size), malloc(4 * size), malloc(RECORD_ROOM * records + POSTING_ROOM * groups + 1),
        malloc(4 * size), malloc(4 * size), malloc(4 * size), malloc(4 * size),
    };
    return sums;
}

static void free_sums(Sums *sums)
{
    free(sums->counts); free(sums->observed); free(sums->observed_firsts);
    free(sums->observed_lasts); free(sums->changed); free(sums->changed_firsts);
    free(sums->changed_lasts); free(sums->origins); free(sums->origin_firsts);
    free(sums->origin_lasts); free(sums->by_origin); free(sums->origin_ends); free(sums->encoded);
    free(sums->asking); free(sums->opening); free(sums->skipped); free(sums->postings);
    free(sums->posting_ends); free(sums->posted); free(sums->slots);
}

static void check_posted(const Cut *cut, const Sums *sums)
{
    int64_t postings = sums->counts->postings;
    int64_t posted = postings ? sums->posting_ends[postings - 1] : 0;
    for (int64_t i = 0; i < sums->counts->opening; i++) {
        int32_t group = sums->opening[i];
        posted += cut->ends[group] - (group ? cut->ends[group - 1] : 0);
    }
    if (posted != cut->records) abort();
}

static void check_sums(const Cut *cut)
{
    Facts facts = make_facts(cut->heads);
    for (int64_t lists_origins = 0; lists_origins < 2; lists_origins++) {
        Sums sums = make_sums(cut, cut->records, cut->group_count, lists_origins);
        const SumCounts *counts = sums.counts;
        if (trailhound_sum_groups(cut->heads, &facts, &sums)) abort();
        int64_t events = 0;
        check_posted(cut, &sums);
        if (counts->encoded_size > POSTING_ROOM * cut->group_count + RECORD_ROOM * cut->records)
            abort();
        if (counts->origins) events = sums.origin_ends[counts->origins - 1];
        if (lists_origins && events + counts->skipped != cut->group_count) abort();
        if (!lists_origins && counts->origins) abort();
        free_sums(&sums);
    }
    free_facts(&facts);
}

/* Find the runs again as questions to their callers: all are there, then those of none that refuse. */
static void check_callers(const Cut *cut, HitRuns *hits, int64_t runs)
{
    uint64_t refused[8] = {0}, *asked = malloc(8 * cut->group_count);
    int32_t *heads = malloc(4 * cut->group_count);
    for (int64_t i = 0; i < cut->group_count; i++) asked[i] = (uint64_t)(heads[i] = (int32_t)(i % 3));
    Callers callers = {
        8, 16, 512, 1, 0, malloc(8 * sizeof(KnownCaller)), refused, calloc(16, 4), malloc(512), 1,
        malloc(8 * sizeof(View)), calloc(16, 4),
    };
    hits->callers = &callers;
    hits->asked = asked;
    hits->heads = heads;
    if (trailhound_find_runs(hits) != runs || callers.count > 8 || callers.bytes_end > 512) abort();
    if (callers.view_count > 8) abort();
    int64_t known = 0;
    for (int64_t i = 0; i < runs; i++) {
        if (hits->run_callers[i] < 0 || hits->run_callers[i] >= callers.count) abort();
        if (hits->run_views[i] < 0 || hits->run_views[i] >= callers.view_count) abort();
        if (hits->run_views[i] && !hits->run_callers[i]) abort();
        known += hits->run_callers[i] > 0;
    }
    for (int i = 1; i < 8; i++) refused[i] = 3;
    if (trailhound_find_runs(hits) != runs - known) abort();
    free(asked); free(heads); free(callers.known); free(callers.table); free(callers.bytes);
    free(callers.views); free(callers.view_table);
    hits->callers = 0;
    trailhound_find_runs(hits);
}

/* List the records of every third run by kinds that the others do not have. */
static void check_hits(const Cut *cut, const HitRuns *hits, int64_t runs)
{
    int64_t count = cut->records, wanted = 0;
    int32_t *kinds = malloc(4 * runs);
    for (int64_t i = 0; i < runs; i++) {
        kinds[i] = i % 3 ? -1 : (int32_t)i;
        if (!(i % 3)) wanted += hits->run_ends[i] - hits->run_starts[i];
    }
    HitColumns rows = {malloc(16 * count), malloc(8 * count), malloc(8 * count), malloc(4 * count)};
    if (trailhound_list_hits(hits, runs, kinds, cut->times, &rows) != wanted) abort();
    for (int64_t i = 0; i < wanted; i++)
        if (rows.kinds[i] % 3 || rows.indexes[i] < 0 || rows.indexes[i] >= count) abort();
    free(kinds); free(rows.identities); free(rows.times); free(rows.indexes); free(rows.kinds);
}

/* Choose the records of all groups as rows of numbers, and write them in fewer bytes. */
static void check_numbers(const Cut *cut)
{
    int64_t count = cut->group_count;
    int32_t *starts = calloc(count + 1, 4), *chosen = malloc(4 * count), *widths = malloc(4 * count);
    for (int64_t i = 0; i < count; i++) {
        starts[i + 1] = cut->ends[i];
        chosen[i] = (int32_t)(count - 1 - i);
    }
    int64_t items = trailhound_gather_rows(starts, cut->order, chosen, count, widths, 0);
    int32_t *gathered = malloc(4 * items);
    trailhound_gather_rows(starts, cut->order, chosen, count, widths, gathered);
    if (items != cut->records) abort();
    if (items && trailhound_highest(gathered, 4, items) >= items) abort();
    uint8_t *narrow = malloc(8 * items);
    for (int64_t width = 1; width <= 8; width *= 2) {
        trailhound_narrow(gathered, 4, items, width, narrow);
        trailhound_narrow(cut->times, 8, items, width, narrow);
    }
    free(starts); free(chosen); free(widths); free(gathered); free(narrow);
}

/* Cut the groups into runs, and order and know what these have as rows. */
static void check_rows(const Cut *cut, const uint8_t *data)
{
    int64_t count = cut->records;
    int32_t bits = 1, *order = malloc(4 * count), *other = malloc(4 * count);
    HitRuns hits = {
        data, cut->sizes, cut->hit_fields, cut->group_count, 4096, cut->ends, cut->order,
        malloc(4 * count), malloc(4 * count), malloc(4 * count), malloc(16 * count), 0, 0, 0,
        malloc(4 * count), malloc(4 * count),
    };
    int64_t runs = trailhound_find_runs(&hits);
    if (runs > count || runs < cut->group_count || (count && hits.run_ends[runs - 1] != count)) abort();
    check_callers(cut, &hits, runs);
    check_hits(cut, &hits, runs);
    while (1 << bits <= count) bits++;
    uint64_t *table = calloc((size_t)1 << bits, 8);
    if (trailhound_add_marks(table, bits, 3, hits.identities, count, 16) > count
        || trailhound_find_marks(table, bits, 3, hits.identities, count, other) != count) abort();
    trailhound_sort_rows(cut->times, hits.identities, count, order, other);
    for (int64_t i = 1; i < count; i++)
        if (is_before(cut->times, hits.identities, order[i], order[i - 1])) abort();
    uint8_t *gathered = malloc(16 * count);
    trailhound_gather(hits.identities, 16, order, count, gathered);
    free(gathered);
    int32_t *renumbered = calloc(cut->group_count, 4), *used = malloc(4 * count);
    if (trailhound_renumber(cut->groups, count, renumbered, used, other)
        != cut->group_count) abort();
    free(order); free(other); free(table); free(renumbered); free(used);
    check_numbers(cut);
    free(hits.run_starts); free(hits.run_ends); free(hits.run_groups); free(hits.identities);
    free(hits.run_callers); free(hits.run_views);
}

static void check_text(const Cut *cut, int32_t number)
{
    if (number < 0 || number >= cut->heads->texts) abort();
}

static void check(const Cut *cut, const uint8_t *data, int64_t size)
{
    for (int64_t i = 0; i < cut->records; i++) {
        HitFields fields = cut->hit_fields[i];
        if (cut->starts[i] < 0 || cut->starts[i] + cut->sizes[i] > size
            || (int64_t)fields.caller_start + fields.caller_size > size
            || (int64_t)fields.message_start + fields.message_size > size) abort();
        if (cut->heads && (cut->order[i] < 0 || cut->order[i] >= cut->records)) abort();
    }
    for (int64_t i = 0; i < cut->group_count; i++) {
        const Head *head = cut->heads->head + cut->numbers[i];
        if (cut->numbers[i] <= 0 || cut->numbers[i] >= cut->heads->heads
            || cut->ends[i] <= (i ? cut->ends[i - 1] : 0) || cut->firsts[i] > cut->lasts[i]
            || head->origin <= 0 || head->origin >= cut->heads->origins
            || head->call <= 0 || head->call >= cut->heads->calls) abort();
        for (int part = 0; part < ORIGIN_TEXTS; part++)
            check_text(cut, cut->heads->origin[head->origin].texts[part]);
        for (int part = 0; part < TEXTS - ORIGIN_TEXTS; part++)
            check_text(cut, cut->heads->call[head->call].texts[part]);
    }
    if (cut->heads) {
        check_sums(cut);
        check_rows(cut, data);
    }
}

static Cut make_cut(int64_t capacity, Heads *heads)
{
    Cut cut = {
        capacity, malloc(8 * capacity), malloc(8 * capacity), malloc(8 * capacity),
        malloc(4 * capacity), malloc(4 * capacity), malloc(4 * capacity), malloc(4 * capacity),
        malloc(8 * capacity), malloc(8 * capacity), malloc(4 * capacity),
        malloc(sizeof(HitFields) * capacity), heads, 0, 0, 0, 0, 0, 0,
    };
    return cut;
}

static void free_cut(Cut *cut)
{
    free(cut->starts); free(cut->sizes); free(cut->times); free(cut->groups); free(cut->order);
    free(cut->ends); free(cut->numbers); free(cut->firsts); free(cut->lasts);
    free(cut->incomplete); free(cut->hit_fields);
}

static int64_t cut_once(
    const uint8_t *data, int64_t size, int lines, int64_t capacity, Heads *heads)
{
    Cut cut = make_cut(capacity, heads);
    Heads before = {0};
    if (heads) before = *heads;
    int64_t count = trailhound_cut_records(data, size, lines, &cut);
    if (count >= 0) check(&cut, data, size);
    else if (heads && (heads->texts != before.texts || heads->heads != before.heads
        || heads->origins != before.origins || heads->calls != before.calls)) abort();
    if (heads && (heads->in_chunk || count == FULL)) forget_all(heads);
    free_cut(&cut);
    return count;
}

/* Cut a document, its first half, nothing, and the document again, at once. */
static void cut_several(const uint8_t *data, int64_t size, int64_t capacity, Heads *heads)
{
    int64_t whole = size + size / 2, results[3][4];
    SumCounts counts[4];
    int64_t ends[4] = {size, whole, whole, whole + size};
    uint8_t *joined = malloc(ends[3] ? ends[3] : 1);
    memcpy(joined, data, size);
    memcpy(joined + size, data, size / 2);
    memcpy(joined + whole, data, size);
    Cut cut = make_cut(capacity, heads);
    Documents documents = {4, results[0], results[1], results[2], counts};
    int64_t in_chunk = heads->in_chunk, start = 0;
    int64_t records = trailhound_cut_documents(joined, ends, &cut, &documents);
    if (records != results[0][3] || records > capacity || heads->in_chunk != in_chunk) abort();
    Facts facts = make_facts(heads);
    Sums sums = make_sums(&cut, records, results[1][3], 1);
    if (trailhound_sum_documents(heads, &facts, &sums, &documents)) abort();
    for (int i = 0; i < 4; i++) {
        int64_t record = i ? results[0][i - 1] : 0, group = i ? results[1][i - 1] : 0;
        int64_t incomplete = i ? results[2][i - 1] : 0;
        Cut part = cut_behind(&cut, record, group, incomplete);
        part.records = results[0][i] - record;
        part.group_count = results[1][i] - group;
        if (part.records) check(&part, joined + start, ends[i] - start);
        if (counts[i].origins > part.group_count || counts[i].skipped > part.group_count) abort();
        start = ends[i];
    }
    free_facts(&facts);
    free_sums(&sums);
    free_cut(&cut);
    free(joined);
    if (heads->texts == heads->capacity) forget_all(heads);
}

int main(int count, char **paths)
{
    long done = 0;
    Heads large = make_heads(1 << 12, 1 << 16), little = make_heads(16, 64);
    for (int i = 1; i < count; i++) {
        FILE *file = fopen(paths[i], "rb");
        if (!file) return 2;
        fseek(file, 0, SEEK_END);
        long size = ftell(file);
        rewind(file);
        uint8_t *data = malloc(size ? size : 1);
        if (fread(data, 1, size, file) != (size_t)size) return 2;
        fclose(file);
        for (int lines = 0; lines < 2; lines++) {
            done += cut_once(data, size, lines, size / 2 + 1, &large) >= 0;
            cut_once(data, size, lines, size / 2 + 1, &little);
            cut_once(data, size, lines, size / 2 + 1, 0);
            cut_once(data, size, lines, 1, &large);
        }
        cut_several(data, size, 2 * size + 1, &large);
        cut_several(data, size, 2 * size + 1, &little);
        cut_several(data, size, 1, &large);
        free(data);
    }
    free_heads(&large);
    free_heads(&little);
    printf("%ld\n", done);
    return 0;
}
