/* Reads pictures, SQZ_INPUT_HEIGHT rows of pixels each, one after the other until the input ends, and prints the
 * five best answers to each: rank, index, score as int8, label. The exit code is the verdict, see Status. */
#include "classifier.h"
#include "io.h"
#include "top_k.h"

namespace {

constexpr unsigned kBest = 5;

/* Sends a whole number; printf would bring in more code than the application has. */
void WriteNumber(int value) {
  char text[12];
  char *at = text + sizeof text;
  unsigned rest = value < 0 ? 0u - static_cast<unsigned>(value) : static_cast<unsigned>(value);
  *--at = '\0';
  do {
    *--at = static_cast<char>('0' + rest % 10u);
    rest /= 10u;
  } while (rest != 0);
  if (value < 0) *--at = '-';
  sqz_io::Write(at);
}

void WriteAnswer(unsigned rank, unsigned index, int score) {
  WriteNumber(static_cast<int>(rank));
  sqz_io::Write(" ");
  WriteNumber(static_cast<int>(index));
  sqz_io::Write(" ");
  WriteNumber(score);
  sqz_io::Write(" ");
  sqz_io::Write(sqz_labels[index]);
  sqz_io::Write("\n");
}

void WriteAnswers(const int8_t *scores) {
  unsigned best[kBest];
  const unsigned found = sqz_app::TopK(scores, SQZ_CLASS_COUNT, kBest, best);
  for (unsigned rank = 0; rank < found; ++rank) WriteAnswer(rank + 1, best[rank], scores[best[rank]]);
  sqz_io::Write("\n");
}

/* Reads one picture into the model's input. `more` is false where the input ended before it. */
sqz_app::Status ReadPicture(bool *more) {
  *more = true;
  for (unsigned y = 0; y < SQZ_INPUT_HEIGHT; ++y) {
    const size_t count = sqz_io::Read(sqz_app::Row(y), sqz_app::kRowBytes);
    *more = !(y == 0 && count == 0);
    if (!*more) return sqz_app::kOk;
    if (count < sqz_app::kRowBytes) return sqz_app::kInputCut;
    sqz_app::EndRow(y);
  }
  return sqz_app::kOk;
}

sqz_app::Status Run() {
  sqz_app::Status status = sqz_app::Begin();
  for (bool more = true; status == sqz_app::kOk;) {
    const int8_t *scores = nullptr;
    status = ReadPicture(&more);
    if (status != sqz_app::kOk || !more) break;
    status = sqz_app::Classify(&scores);
    if (status == sqz_app::kOk) WriteAnswers(scores);
  }
  return status;
}

}  // namespace

int main() {
  const sqz_app::Status status = Run();
  if (status != sqz_app::kOk) {
    sqz_io::Write("error ");
    WriteNumber(status);
    sqz_io::Write(", see Status in classifier.h\n");
  }
  return status;
}
