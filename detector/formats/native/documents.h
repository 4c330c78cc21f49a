/* Cuts several concatenated small documents, and sums the groups of each.

   Each document is treated as a chunk; its results follow those of the documents before, and its
   indexes count from 0. A document that is not plain is declined and leaves no results. So are
   documents that need a closer look: without records, with a time in another form, or with a text
   for which the tables have no room. */

#ifndef DOCUMENTS_H
#define DOCUMENTS_H

#include "records.h"
#include "sums.h"

/* The results of each document. */
typedef struct {
    int64_t count;
    int64_t *record_ends, *group_ends; /* the ends of its results; if declined, the ends before */
    int64_t *incomplete_ends;
    SumCounts *sum_counts;
} Documents;

/* Return the arrays for the next document, given the numbers of records, groups and incomplete
   records before it. */
static Cut cut_behind(const Cut *cut, int64_t records, int64_t groups, int64_t incomplete)
{
    Cut part = *cut;
    part.capacity -= records;
    part.starts += records;
    part.sizes += records;
    part.times += records;
    part.groups += records;
    part.order += records;
    part.hit_fields += records;
    part.ends += groups;
    part.numbers += groups;
    part.firsts += groups;
    part.lasts += groups;
    part.incomplete += incomplete;
    return part;
}

static int64_t cut_documents(
    const uint8_t *data, const int64_t *ends, const Cut *cut, Documents *documents)
{
    int64_t start = 0, records = 0, groups = 0, incomplete = 0;
    for (int64_t i = 0; i < documents->count; i++) {
        const Heads before = *cut->heads;
        Cut part = cut_behind(cut, records, groups, incomplete);
        int64_t found = cut_text(data + start, ends[i] - start, 0, &part);
        if (found > 0 && (part.untimed || cut->heads->in_chunk > before.in_chunk))
            forget_since(cut->heads, &before);
        else if (found > 0) {
            records += found;
            groups += part.group_count;
            incomplete += part.incomplete_count;
        }
        documents->record_ends[i] = records;
        documents->group_ends[i] = groups;
        documents->incomplete_ends[i] = incomplete;
        start = ends[i];
    }
    return records;
}

/* Return the arrays for a document's sums, given its first record and group and their numbers. */
static Sums sums_behind(
    const Sums *sums, int64_t first_record, int64_t records, int64_t first_group, int64_t groups)
{
    Sums part = *sums;
    part.records = records;
    part.group_count = groups;
    part.groups += first_record;
    part.posted += first_record;
    part.encoded += RECORD_ROOM * first_record + POSTING_ROOM * first_group;
    part.ends += first_group;
    part.numbers += first_group;
    part.firsts += first_group;
    part.lasts += first_group;
    part.observed += first_group;
    part.observed_firsts += first_group;
    part.observed_lasts += first_group;
    part.changed += first_group;
    part.changed_firsts += first_group;
    part.changed_lasts += first_group;
    part.origins += first_group;
    part.origin_firsts += first_group;
    part.origin_lasts += first_group;
    part.by_origin += first_group;
    part.origin_ends += first_group;
    part.postings += first_group;
    part.posting_ends += first_group;
    part.asking += first_group;
    part.opening += first_group;
    part.skipped += first_group;
    part.slots += first_group;
    return part;
}

static void sum_documents(
    const Heads *heads, const Facts *facts, const Sums *sums, Documents *documents)
{
    int64_t record = 0, group = 0;
    for (int64_t i = 0; i < documents->count; i++) {
        int64_t record_end = documents->record_ends[i], group_end = documents->group_ends[i];
        Sums part = sums_behind(sums, record, record_end - record, group, group_end - group);
        part.counts = documents->sum_counts + i;
        sum_groups(heads, facts, &part);
        record = record_end;
        group = group_end;
    }
}

#endif
