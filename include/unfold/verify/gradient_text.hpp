// SPDX-License-Identifier: MIT
// A GradientReport for people, as tables, and for programs, as JSON.
// takes a GradientReport -> gives a std::string.
#pragma once

#include <unfold/core/json_text.hpp>
#include <unfold/verify/gradient_report.hpp>

#include <charconv>  // std::to_chars
#include <cstdio>    // std::snprintf
#include <ostream>

namespace unfold {

namespace detail {

inline std::string number_text(const char* format, double value) {
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

/// Rows of cells as lines of columns: the first two flush left, the others flush right.
inline std::string table_text(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string gap(widths[c] - row[c].size(), ' ');
      text += "  " + (c < 2 ? row[c] + gap : gap + row[c]);
    }
    text += '\n';
  }
  return text;
}

/// "[2, 3]", which is JSON too.
inline std::string list_text(const std::vector<Index>& values) {
  std::string text;
  for (const Index value : values) text += (text.empty() ? "" : ", ") + std::to_string(value);
  return "[" + text + "]";
}

/// What a report says in sentences: its findings, and of each tensor whose claims have a constant ratio, that.
inline std::string sentences(const GradientReport& report) {
  std::string text;
  for (const auto& finding : report.findings) text += to_string(finding.verdict) + ": " + finding.text + '\n';
  for (const auto& tensor : report.tensors) {
    const Index lost = tensor.count(Verdict::vacuous);
    if (lost > 0 && tensor.verdict() != Verdict::vacuous) {
      text += to_string(Verdict::vacuous) + ": " + tensor.name + ": " + std::to_string(lost) + " of " +
              std::to_string(tensor.entries.size()) + " entries are smaller than their bound: these were not tested\n";
    }
    const std::optional<double> ratio = tensor.ratio();
    if (!ratio || tensor.verdict() != Verdict::convention) continue;
    text += to_string(Verdict::convention) + ": " + tensor.name + ": analytic = " + number_text("%.10g", *ratio) +
            " * numeric at every entry" + (*ratio < 0 ? ": the sign is turned\n" : ": a wrong scale\n");
  }
  return text;
}

/// The shortest text that is read back as the same number; null where JSON has none.
inline std::string json_number(double value) {
  if (!std::isfinite(value)) return "null";
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

inline std::string json_entry(const GradientEntry& e) {
  std::string json = "{\"position\": " + std::to_string(e.position);
  const auto add = [&](const char* name, double value) {
    json.append(", \"").append(name).append("\": ").append(json_number(value));
  };
  add("analytic", e.analytic);
  add("numeric", e.numeric);
  add("error", e.error());
  add("truncation", e.truncation);
  add("rounding", e.rounding);
  if (!std::isnan(e.order)) add("order", e.order);
  return json + ", \"verdict\": " + to_json(to_string(e.verdict)) + "}";
}

inline std::string json_tensor(const TensorReport& t) {
  std::string json = "{\"name\": " + to_json(t.name) + ", \"shape\": " + list_text(t.shape) +
                     ", \"entries_are\": " + (t.directions ? "\"directions\"" : "\"coordinates\"") +
                     ", \"verdict\": " + to_json(to_string(t.verdict()));
  const std::optional<double> ratio = t.ratio();
  if (ratio && t.verdict() == Verdict::convention) json += ", \"ratio\": " + json_number(*ratio);
  json += ", \"entries\": [";
  for (const auto& entry : t.entries)
    json += (&entry == t.entries.data() ? "\n      " : ",\n      ") + json_entry(entry);
  return json + "]}";
}

}  // namespace detail

/// The report as two tables: its tensors, and its worst entries with every term of their bound.
inline std::string to_string(const GradientReport& report, std::size_t worst_entries) {
  const auto brief = [](double value) { return detail::number_text("%.2e", value); };
  std::vector<std::vector<std::string>> rows{
      {"tensor", "shape", "checked", "failed", "kinks", "error/bound", "verdict"}};
  for (const auto& t : report.tensors) {
    rows.push_back({t.name, detail::list_text(t.shape), std::to_string(t.entries.size()),
                    std::to_string(t.count(Verdict::fail)), std::to_string(t.count(Verdict::kink)),
                    brief(t.worst_excess()), to_string(t.verdict())});
  }
  const std::string text = "gradient check: " + to_string(report.verdict()) + " (" + report.engine + ", seed " +
                           std::to_string(report.seed) + ")\n" + detail::sentences(report) + detail::table_text(rows);
  rows = {{"tensor", "index", "analytic", "numeric", "error", "truncation", "rounding", "error/bound", "verdict"}};
  const auto worst = report.worst(worst_entries);
  const bool orders = std::any_of(worst.begin(), worst.end(), [](auto& p) { return !std::isnan(p.entry->order); });
  if (orders) rows[0].insert(rows[0].end() - 1, "order");
  for (const auto& place : worst) {
    const auto& e = *place.entry;
    rows.push_back({place.tensor->name, place.index(), detail::number_text("%.12g", e.analytic),
                    detail::number_text("%.12g", e.numeric), brief(e.error()), brief(e.truncation), brief(e.rounding),
                    brief(e.excess()), to_string(e.verdict)});
    if (orders) rows.back().insert(rows.back().end() - 1, detail::number_text("%.2f", e.order));
  }
  return text + "worst entries (bound = truncation + rounding):\n" + detail::table_text(rows);
}

inline std::ostream& operator<<(std::ostream& out, const GradientReport& report) { return out << to_string(report); }

/// The whole report, every entry of it, as one JSON object. Numbers that JSON does not have are null.
inline std::string to_json(const GradientReport& report) {
  std::string json = "{\"verdict\": " + detail::to_json(to_string(report.verdict())) +
                     ",\n  \"engine\": " + detail::to_json(report.engine) +
                     ",\n  \"seed\": " + std::to_string(report.seed) + ",\n  \"findings\": [";
  for (const auto& finding : report.findings) {
    json += (&finding == report.findings.data() ? "\n    " : ",\n    ");
    json += "{\"verdict\": " + detail::to_json(to_string(finding.verdict)) +
            ", \"text\": " + detail::to_json(finding.text) + "}";
  }
  json += "],\n  \"tensors\": [";
  for (const auto& tensor : report.tensors) {
    json += (&tensor == report.tensors.data() ? "\n    " : ",\n    ") + detail::json_tensor(tensor);
  }
  return json + "]}";
}

}  // namespace unfold
