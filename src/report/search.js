"use strict";
(function () {
  var input = document.getElementById("search");
  if (!input) return;
  input.parentNode.hidden = false;
  var found = document.getElementById("found");
  var services = Array.prototype.map.call(document.querySelectorAll("details.service"), function (node) {
    var host = node.querySelector("h3").textContent.toLowerCase();
    var rows = Array.prototype.map.call(node.querySelectorAll("table.endpoints > tbody > tr"), function (row) {
      return { row: row, text: (host + " " + row.textContent).toLowerCase() };
    });
    return { node: node, open: node.open, rows: rows };
  });
  function search() {
    var words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    var n = 0;
    services.forEach(function (s) {
      var hits = 0;
      s.rows.forEach(function (r) {
        var hit = words.every(function (w) { return r.text.indexOf(w) >= 0; });
        r.row.hidden = !hit;
        if (hit) hits++;
      });
      s.node.hidden = words.length > 0 && hits === 0;
      s.node.open = words.length > 0 ? hits > 0 : s.open;
      n += hits;
    });
    found.textContent = words.length ? n + (n === 1 ? " endpoint" : " endpoints") : "";
  }
  var timer;
  input.addEventListener("input", function () { clearTimeout(timer); timer = setTimeout(search, 80); });
  function reveal() {
    var target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    for (var n = target && target.parentElement; n; n = n.parentElement) if (n.tagName === "DETAILS") n.open = true;
    if (target) target.scrollIntoView({ block: "center" });
  }
  window.addEventListener("hashchange", reveal);
  reveal();
})();
