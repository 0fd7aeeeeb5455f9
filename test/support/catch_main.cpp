// SPDX-License-Identifier: MIT
// The main of every Catch2 test program, compiled once. At the end of a run it prints the line
// `cases: N passed, N failed, N skipped`, which test/summary.py adds up.
#if !__has_include(<catch2/catch_test_macros.hpp>)  // version 2; the main of version 3 is in its library
#define CATCH_CONFIG_MAIN
#endif
#include "support/catch.hpp"

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/reporters/catch_reporter_event_listener.hpp>
#include <catch2/reporters/catch_reporter_registrars.hpp>
#endif

#include <iostream>

namespace {

#if !__has_include(<catch2/catch_test_macros.hpp>)
using Listener = Catch::TestEventListenerBase;
bool skipped(const Catch::Totals&) { return unfold::test::case_skipped; }
void forget_skip() { unfold::test::case_skipped = false; }
#else
using Listener = Catch::EventListenerBase;
bool skipped(const Catch::Totals& totals) { return totals.testCases.skipped > 0; }
void forget_skip() {}
#endif

class Tally : public Listener {
 public:
  using Listener::Listener;

  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    if (stats.totals.testCases.failed > 0) {
      ++failed_;
    } else if (skipped(stats.totals)) {
      ++skipped_;
    } else {
      ++passed_;
    }
    forget_skip();
  }

  void testRunEnded(const Catch::TestRunStats&) override {
    std::cout << "cases: " << passed_ << " passed, " << failed_ << " failed, " << skipped_ << " skipped" << std::endl;
  }

 private:
  int passed_ = 0, failed_ = 0, skipped_ = 0;
};

CATCH_REGISTER_LISTENER(Tally)

}  // namespace
