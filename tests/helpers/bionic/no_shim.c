/* A library of Android's that lends its name only. */
extern const char lends_its_name;
const char lends_its_name = 1;
