/* The best answers of one inference. */
#ifndef SQZ_TFLM_TOP_K_H
#define SQZ_TFLM_TOP_K_H

#include <stdint.h>

namespace sqz_app {

/* Writes the indices of the `k` highest of `count` scores to `best`, highest first, of equal ones the lower index
 * first (int8 scores tie often). Returns how many were written: the smaller of `k` and `count`. */
inline unsigned TopK(const int8_t *scores, unsigned count, unsigned k, unsigned *best) {
  unsigned found = 0;
  for (unsigned index = 0; index < count; ++index) {
    unsigned place = found;
    while (place > 0 && scores[best[place - 1]] < scores[index]) --place;
    if (place >= k) continue;
    if (found < k) ++found;
    for (unsigned last = found - 1; last > place; --last) best[last] = best[last - 1];
    best[place] = index;
  }
  return found;
}

}  // namespace sqz_app

#endif  // SQZ_TFLM_TOP_K_H
