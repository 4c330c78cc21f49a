/* Cut a chunk of CloudTrail JSON into records, and group the records by the raw bytes of their heads.

   This file decides nothing. Records whose heads have equal bytes share a group; what a group means
   is decoded elsewhere, from its first record. A chunk that is not plain in every byte is declined
   as a whole and takes the path in Python: escapes or repetitions in keys that are read, invalid
   UTF-8, unpaired surrogates, odd numbers, deep nesting, values that are no records.

   Every read is bounded by `end`, every write by the capacities that the caller passes. Nothing is
   allocated. */

#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define DECLINED (-1)
#define TOO_SMALL (-2)
#define NO_TIME INT64_MIN
#define DEPTH_CAP 64
#define NUMBER_CAP 32
#define PROBES_A_RECORD 64
#define KEY_CAP 2048

enum {
    CALLER, ARN, ACCOUNT, KEY, INVOKED_BY, SOURCE, NAME, REGION, ADDRESS, AGENT, ERROR, READ_ONLY,
    RECIPIENT, CATEGORY, SLOTS, TIME = SLOTS, ID, MESSAGE, WHOLE_CALLER, FIELDS
};

/* A value's raw bytes in the chunk; `size` 0: the field is absent. */
typedef struct { uint32_t start, size; } Slot;

typedef struct {
    const uint8_t *data, *end;
    int lines; /* a newline ends a record */
} Text;

typedef struct { const char *name; uint8_t size, slot; } Field;

static const Field RECORD_FIELDS[] = {
    {"eventTime", 9, TIME}, {"userIdentity", 12, CALLER}, {"eventSource", 11, SOURCE},
    {"eventName", 9, NAME}, {"awsRegion", 9, REGION}, {"sourceIPAddress", 15, ADDRESS},
    {"userAgent", 9, AGENT}, {"errorCode", 9, ERROR}, {"readOnly", 8, READ_ONLY},
    {"recipientAccountId", 18, RECIPIENT}, {"eventCategory", 13, CATEGORY},
    {"eventID", 7, ID}, {"errorMessage", 12, MESSAGE}, {0, 0, 0},
};
static const Field CALLER_FIELDS[] = {
    {"arn", 3, ARN}, {"accountId", 9, ACCOUNT}, {"accessKeyId", 11, KEY},
    {"invokedBy", 9, INVOKED_BY}, {0, 0, 0},
};

static const uint8_t *skip_value(const Text *text, const uint8_t *p, int depth);

static const uint8_t *skip_space(const Text *text, const uint8_t *p)
{
    while (p < text->end) {
        uint8_t c = *p;
        if (c == ' ' || c == '\t' || c == '\r' || (c == '\n' && !text->lines))
            p++;
        else
            break;
    }
    return p;
}

/* Skip characters of strings, as long as all of the next bytes are plain: no quote, no backslash, no
   control character, no byte of a longer character. May stop before the first that is not. */
#ifdef __SSE2__
static const uint8_t *skip_plain(const uint8_t *p, const uint8_t *end)
{
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(0x20);
    while (end - p >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
        /* Signed: bytes from 0x80 on are less than a space, too. */
        __m128i odd = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash));
        int mask = _mm_movemask_epi8(_mm_or_si128(odd, _mm_cmplt_epi8(bytes, space)));
        if (mask) return p + __builtin_ctz((unsigned)mask);
        p += 16;
    }
    return p;
}
#else
static const uint8_t *skip_plain(const uint8_t *p, const uint8_t *end)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    while (end - p >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        uint64_t quote = word ^ (ones * '"'), slash = word ^ (ones * '\\');
        uint64_t odd = ((quote - ones) & ~quote) | ((slash - ones) & ~slash);
        if ((odd | ((word - ones * 0x20) & ~word) | word) & tops) break;
        p += 8;
    }
    return p;
}
#endif

static int hex4(const uint8_t *p)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = p[i];
        int digit;
        if (c >= '0' && c <= '9') digit = c - '0';
        else if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
        else if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
        else return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* Skip an escape, from its backslash on. */
static const uint8_t *skip_escape(const Text *text, const uint8_t *p)
{
    if (text->end - p < 2) return 0;
    if (p[1] != 'u') return strchr("\"\\/bfnrt", p[1]) && p[1] ? p + 2 : 0;
    if (text->end - p < 6) return 0;
    int unit = hex4(p + 2);
    if (unit < 0 || (unit >= 0xDC00 && unit <= 0xDFFF)) return 0;
    if (unit < 0xD800 || unit > 0xDBFF) return p + 6;
    if (text->end - p < 12 || p[6] != '\\' || p[7] != 'u') return 0;
    unit = hex4(p + 8);
    return unit >= 0xDC00 && unit <= 0xDFFF ? p + 12 : 0;
}

/* Skip a character of several bytes (RFC 3629, section 4). */
static const uint8_t *skip_utf8(const Text *text, const uint8_t *p)
{
    uint8_t first = p[0], low = 0x80, high = 0xBF;
    int more;
    if (first >= 0xC2 && first <= 0xDF) more = 1;
    else if (first >= 0xE0 && first <= 0xEF) {
        more = 2;
        if (first == 0xE0) low = 0xA0;
        if (first == 0xED) high = 0x9F;
    } else if (first >= 0xF0 && first <= 0xF4) {
        more = 3;
        if (first == 0xF0) low = 0x90;
        if (first == 0xF4) high = 0x8F;
    } else return 0;
    if (text->end - p <= more || p[1] < low || p[1] > high) return 0;
    for (int i = 2; i <= more; i++)
        if (p[i] < 0x80 || p[i] > 0xBF) return 0;
    return p + more + 1;
}

/* Skip a string, from its quote on. `has_escape` may be 0. */
static const uint8_t *skip_string(const Text *text, const uint8_t *p, int *has_escape)
{
    p++;
    while (p < text->end) {
        p = skip_plain(p, text->end);
        if (p >= text->end) return 0;
        uint8_t c = *p;
        if (c == '"') return p + 1;
        if (c == '\\') {
            if (has_escape) *has_escape = 1;
            p = skip_escape(text, p);
        } else if (c < 0x20) return 0;
        else p = c < 0x80 ? p + 1 : skip_utf8(text, p);
        if (!p) return 0;
    }
    return 0;
}

static int is_digit(const Text *text, const uint8_t *p)
{
    return p < text->end && *p >= '0' && *p <= '9';
}

static const uint8_t *skip_number(const Text *text, const uint8_t *p)
{
    const uint8_t *start = p;
    if (*p == '-') p++;
    if (!is_digit(text, p)) return 0;
    if (*p == '0') p++;
    else while (is_digit(text, p)) p++;
    if (p < text->end && *p == '.') {
        p++;
        if (!is_digit(text, p)) return 0;
        while (is_digit(text, p)) p++;
    }
    if (p < text->end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < text->end && (*p == '+' || *p == '-')) p++;
        if (!is_digit(text, p)) return 0;
        while (is_digit(text, p)) p++;
    }
    return p - start <= NUMBER_CAP ? p : 0;
}

static const uint8_t *skip_word(const Text *text, const uint8_t *p, const char *word, int size)
{
    return text->end - p >= size && !memcmp(p, word, size) ? p + size : 0;
}

/* Skip a key and its colon, and the space around. */
static const uint8_t *skip_key(const Text *text, const uint8_t *p, int *has_escape)
{
    if (p >= text->end || *p != '"') return 0;
    if (!(p = skip_string(text, p, has_escape))) return 0;
    p = skip_space(text, p);
    if (p >= text->end || *p != ':') return 0;
    return skip_space(text, p + 1);
}

/* Skip a key that is to be compared, so without escapes; return its text without quotes. */
static const uint8_t *read_key(
    const Text *text, const uint8_t *p, const uint8_t **key, int64_t *size)
{
    int has_escape = 0;
    const uint8_t *value = skip_key(text, p, &has_escape);
    if (!value || has_escape) return 0;
    *key = p + 1;
    *size = (const uint8_t *)memchr(*key, '"', (size_t)(value - *key)) - *key;
    return value;
}

/* After a member or an element: skip a comma, or stop at the closing bracket. 1: more follow. */
static int has_more(const Text *text, const uint8_t **p, uint8_t closing)
{
    *p = skip_space(text, *p);
    if (*p >= text->end) return -1;
    if (**p == closing) {
        ++*p;
        return 0;
    }
    if (**p != ',') return -1;
    *p = skip_space(text, *p + 1);
    return *p < text->end ? 1 : -1;
}

/* Skip what opens an object or array, and the space behind. 1: it is not empty. */
static int open_bracket(const Text *text, const uint8_t **p, uint8_t closing)
{
    *p = skip_space(text, *p + 1);
    if (*p >= text->end) return -1;
    if (**p != closing) return 1;
    ++*p;
    return 0;
}

static const uint8_t *skip_array(const Text *text, const uint8_t *p, int depth)
{
    int more = open_bracket(text, &p, ']');
    while (more > 0) {
        if (!(p = skip_value(text, p, depth + 1))) return 0;
        more = has_more(text, &p, ']');
    }
    return more < 0 ? 0 : p;
}

static const uint8_t *skip_object(const Text *text, const uint8_t *p, int depth)
{
    int more = open_bracket(text, &p, '}');
    while (more > 0) {
        if (!(p = skip_key(text, p, 0))) return 0;
        if (!(p = skip_value(text, p, depth + 1))) return 0;
        more = has_more(text, &p, '}');
    }
    return more < 0 ? 0 : p;
}

static const uint8_t *skip_value(const Text *text, const uint8_t *p, int depth)
{
    if (p >= text->end || depth > DEPTH_CAP) return 0;
    switch (*p) {
    case '"': return skip_string(text, p, 0);
    case '{': return skip_object(text, p, depth);
    case '[': return skip_array(text, p, depth);
    case 't': return skip_word(text, p, "true", 4);
    case 'f': return skip_word(text, p, "false", 5);
    case 'n': return skip_word(text, p, "null", 4);
    default: return skip_number(text, p);
    }
}

static int find_slot(const Field *fields, const uint8_t *key, int64_t size)
{
    for (; fields->name; fields++)
        if (fields->size == size && !memcmp(fields->name, key, (size_t)size)) return fields->slot;
    return -1;
}

/* Read an object whose `fields` go to `slots`; a caller has fields of its own. */
static const uint8_t *read_fields(
    const Text *text, const uint8_t *p, const Field *fields, Slot *slots, int depth)
{
    int more = open_bracket(text, &p, '}');
    while (more > 0) {
        const uint8_t *key, *start;
        int64_t size;
        if (!(p = read_key(text, p, &key, &size))) return 0;
        int slot = find_slot(fields, key, size);
        start = p;
        if (slot == CALLER && p < text->end && *p == '{') {
            if (!(p = read_fields(text, p, CALLER_FIELDS, slots, depth + 1))) return 0;
            slots[WHOLE_CALLER].start = (uint32_t)(start - text->data);
            slots[WHOLE_CALLER].size = (uint32_t)(p - start);
            size = 1; /* its brace: what is in it has slots of its own */
        } else {
            if (!(p = skip_value(text, p, depth + 1))) return 0;
            size = p - start;
        }
        if (slot >= 0) {
            if (slots[slot].size) return 0; /* twice */
            slots[slot].start = (uint32_t)(start - text->data);
            slots[slot].size = (uint32_t)size;
        }
        more = has_more(text, &p, '}');
    }
    return more < 0 ? 0 : p;
}

static int two_digits(const uint8_t *p)
{
    return p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9' ? -1
        : (p[0] - '0') * 10 + p[1] - '0';
}

/* Return the seconds since the epoch of "YYYY-MM-DDTHH:MM:SSZ"; NO_TIME for any other text. */
static int64_t parse_time(const uint8_t *p, uint32_t size)
{
    static const uint8_t DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (size != 22 || p[5] != '-' || p[8] != '-' || p[11] != 'T' || p[14] != ':' || p[17] != ':'
        || p[20] != 'Z')
        return NO_TIME;
    int century = two_digits(p + 1), years = two_digits(p + 3), month = two_digits(p + 6);
    int day = two_digits(p + 9), hour = two_digits(p + 12), minute = two_digits(p + 15);
    int second = two_digits(p + 18);
    if (century < 20 || years < 0 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23
        || minute < 0 || minute > 59 || second < 0 || second > 59)
        return NO_TIME;
    int year = century * 100 + years;
    if (year == 9999) return NO_TIME;
    int is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day > DAYS[month - 1] + (month == 2 && is_leap)) return NO_TIME;
    int64_t before = year - 1;
    int64_t days = before * 365 + before / 4 - before / 100 + before / 400 - 719162 + day - 1;
    for (int i = 0; i < month - 1; i++) days += DAYS[i];
    if (month > 2) days += is_leap;
    return days * 86400 + hour * 3600 + minute * 60 + second;
}

/* What a hit has beside its head: where its caller and its error message are, and its identity,
   which is known where `has_identity`: its id is a UUID in lower case. */
typedef struct {
    uint32_t caller_start, caller_size, message_start, message_size;
    uint8_t identity[16], has_identity, has_code, unused[2];
} HitFields;

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Read "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" with its quotes; return whether it is one. */
static uint8_t read_uuid(const uint8_t *p, uint32_t size, uint8_t *identity)
{
    if (size != 38 || *p++ != '"') return 0;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            if (*p++ != '-') return 0;
        int high = hex_digit(p[0]), low = hex_digit(p[1]);
        if (high < 0 || low < 0) return 0;
        identity[i] = (uint8_t)(high * 16 + low);
        p += 2;
    }
    return 1;
}

static uint64_t hash_slots(const uint8_t *data, const Slot *slots)
{
    uint64_t hash = 0x9E3779B97F4A7C15u;
    for (int i = 0; i < SLOTS; i++) {
        const uint8_t *p = data + slots[i].start;
        uint32_t left = slots[i].size;
        hash = (hash ^ left) * 0xD6E8FEB86659FD93u;
        while (left) {
            uint64_t word = 0;
            uint32_t step = left < 8 ? left : 8;
            memcpy(&word, p, step);
            hash = (hash ^ word) * 0xD6E8FEB86659FD93u;
            hash ^= hash >> 32;
            p += step;
            left -= step;
        }
    }
    return hash ^ (hash >> 29);
}

static int equal_slots(const uint8_t *data, const Slot *one, const Slot *other)
{
    for (int i = 0; i < SLOTS; i++)
        if (one[i].size != other[i].size
            || memcmp(data + one[i].start, data + other[i].start, one[i].size))
            return 0;
    return 1;
}

/* What the caller owns and sizes; `capacity` is the number of records that fit. */
typedef struct {
    int64_t capacity;
    int64_t *starts, *sizes; /* of each record */
    int64_t *times;          /* of each record, NO_TIME where it has another form */
    int32_t *groups;         /* of each record */
    int32_t *order;          /* the records by group, then in order */
    int32_t *ends;           /* of each group in `order` */
    Slot *slots;             /* of each group, SLOTS each */
    int32_t *table;          /* a hash table of groups, filled with -1 */
    int64_t table_size;      /* a power of two, at least twice the capacity */
    int64_t *firsts, *lasts; /* of each group, its least and greatest time */
    uint8_t *keys;           /* the heads of the groups as bytes, one after the other */
    int64_t *key_ends;       /* of each group; that of the group before: it is too long */
    int64_t keys_capacity;   /* in bytes */
    HitFields *hit_fields;   /* of each record */
} Cut;

typedef struct { int64_t records, groups, probes; } Counts;

/* Return the group of a record, a new one where no group has these bytes; -1 after too many
   collisions, which a hostile log may make. */
static int64_t group_of(const Text *text, Cut *cut, Counts *counts, const Slot *slots)
{
    uint64_t mask = (uint64_t)cut->table_size - 1, place = hash_slots(text->data, slots) & mask;
    while (cut->table[place] >= 0) {
        int64_t group = cut->table[place];
        if (equal_slots(text->data, cut->slots + group * SLOTS, slots)) return group;
        if (++counts->probes > PROBES_A_RECORD * (counts->records + PROBES_A_RECORD)) return -1;
        place = (place + 1) & mask;
    }
    cut->table[place] = (int32_t)counts->groups;
    memcpy(cut->slots + counts->groups * SLOTS, slots, SLOTS * sizeof(Slot));
    cut->ends[counts->groups] = 0;
    cut->firsts[counts->groups] = INT64_MAX;
    cut->lasts[counts->groups] = INT64_MIN;
    return counts->groups++;
}

/* Read one record; `status` becomes TOO_SMALL where it does not fit. */
static const uint8_t *read_record(
    const Text *text, const uint8_t *p, Cut *cut, Counts *counts, int *status)
{
    Slot slots[FIELDS] = {{0, 0}};
    const uint8_t *start = p;
    if (p >= text->end || *p != '{') return 0;
    if (counts->records >= cut->capacity) {
        *status = TOO_SMALL;
        return 0;
    }
    if (!(p = read_fields(text, p, RECORD_FIELDS, slots, 1))) return 0;
    int64_t group = group_of(text, cut, counts, slots);
    if (group < 0) return 0;
    int64_t number = counts->records++;
    int64_t time = parse_time(text->data + slots[TIME].start, slots[TIME].size);
    cut->starts[number] = start - text->data;
    cut->sizes[number] = p - start;
    cut->times[number] = time;
    HitFields *fields = cut->hit_fields + number;
    memset(fields, 0, sizeof *fields);
    fields->caller_start = slots[WHOLE_CALLER].start;
    fields->caller_size = slots[WHOLE_CALLER].size;
    fields->message_start = slots[MESSAGE].start;
    fields->message_size = slots[MESSAGE].size;
    fields->has_identity = read_uuid(text->data + slots[ID].start, slots[ID].size, fields->identity);
    fields->has_code = slots[ERROR].size > 0;
    if (time < cut->firsts[group]) cut->firsts[group] = time;
    if (time > cut->lasts[group]) cut->lasts[group] = time;
    cut->groups[number] = (int32_t)group;
    cut->ends[group]++;
    return p;
}

static const uint8_t *read_array(
    const Text *text, const uint8_t *p, Cut *cut, Counts *counts, int *status)
{
    if (p >= text->end || *p != '[') return 0;
    int more = open_bracket(text, &p, ']');
    while (more > 0) {
        if (!(p = read_record(text, p, cut, counts, status))) return 0;
        more = has_more(text, &p, ']');
    }
    return more < 0 ? 0 : p;
}

static const uint8_t *read_document(
    const Text *text, const uint8_t *p, Cut *cut, Counts *counts, int *status)
{
    int has_records = 0;
    p = skip_space(text, p);
    if (p < text->end && *p == '[') p = read_array(text, p, cut, counts, status);
    else if (p < text->end && *p == '{') {
        int more = open_bracket(text, &p, '}');
        while (more > 0) {
            const uint8_t *key;
            int64_t size;
            if (!(p = read_key(text, p, &key, &size))) return 0;
            if (size == 7 && !memcmp(key, "Records", 7)) {
                if (has_records++) return 0;
                p = read_array(text, p, cut, counts, status);
            } else p = skip_value(text, p, 1);
            if (!p) return 0;
            more = has_more(text, &p, '}');
        }
        if (more < 0 || !has_records) return 0;
    } else return 0;
    return p ? skip_space(text, p) : 0;
}

static const uint8_t *read_lines(
    const Text *text, const uint8_t *p, Cut *cut, Counts *counts, int *status)
{
    while (p < text->end) {
        p = skip_space(text, p);
        if (p < text->end && *p != '\n') {
            if (!(p = read_record(text, p, cut, counts, status))) return 0;
            p = skip_space(text, p);
            if (p < text->end && *p != '\n') return 0;
        }
        p++;
    }
    return text->end;
}

/* Put the records in the order of their groups, by counting. */
static void sort_by_group(Cut *cut, const Counts *counts)
{
    int32_t start = 0;
    for (int64_t group = 0; group < counts->groups; group++) {
        int32_t size = cut->ends[group];
        cut->ends[group] = start;
        start += size;
    }
    for (int64_t number = 0; number < counts->records; number++)
        cut->order[cut->ends[cut->groups[number]]++] = (int32_t)number;
}

/* Write the heads of the groups: of each value its size, in two bytes, and its bytes. */
static void write_keys(const Text *text, Cut *cut, const Counts *counts)
{
    int64_t end = 0;
    for (int64_t group = 0; group < counts->groups; group++) {
        const Slot *slots = cut->slots + group * SLOTS;
        int64_t size = 2 * SLOTS;
        for (int i = 0; i < SLOTS; i++) size += slots[i].size;
        if (size <= KEY_CAP && size <= cut->keys_capacity - end) {
            uint8_t *p = cut->keys + end;
            for (int i = 0; i < SLOTS; i++) {
                *p++ = (uint8_t)(slots[i].size & 0xFF);
                *p++ = (uint8_t)(slots[i].size >> 8);
                memcpy(p, text->data + slots[i].start, slots[i].size);
                p += slots[i].size;
            }
            end += size;
        }
        cut->key_ends[group] = end;
    }
}

/* Cut `size` bytes. Returns the number of records, DECLINED, or TOO_SMALL where they are more than
   the capacity; the number of groups is stored in `groups`. */
int64_t trailhound_cut_hits(
    const uint8_t *data, int64_t size, int32_t lines, Cut *cut, int64_t *groups)
{
    Text text = {data, data + size, lines};
    Counts counts = {0, 0, 0};
    int status = DECLINED;
    if (size < 0 || size > UINT32_MAX || cut->capacity > INT32_MAX) return DECLINED;
    const uint8_t *p = lines ? read_lines(&text, data, cut, &counts, &status)
                             : read_document(&text, data, cut, &counts, &status);
    if (p != text.end) return status;
    sort_by_group(cut, &counts);
    write_keys(&text, cut, &counts);
    *groups = counts.groups;
    return counts.records;
}
