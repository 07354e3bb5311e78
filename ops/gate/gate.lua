-- The gate of this repository. lakeFS runs it before it merges into main, and before a revert or a
-- cherry-pick on main. It holds a merge against what the merge says of itself:
--
--   what changes                   what is asked for
--   images/ only                   nothing, as from lakeFS's own UI: they falsify no label
--   anything else                  an ops.kind that may change it, who did it, with which ops, and
--                                  ops.expected_head: the head of main it was checked against
--   records, snapshot or card      a version: its number, counts and digests, the same in the merge,
--                                  in card.json, and derived again from the records
--   a round's finish               its manifest, and what _gates/gates.json on main asks for
--
-- The merge commit exists already when this runs, though no branch names it yet: what is read here is
-- what main would hold. The work is bounded by the args of the action; what is left unchecked for
-- that is printed, and seen in the output of the run (Actions, in lakeFS).
--
-- What it cannot do: lakeFS runs the script of the commit that is merged, not main's; an import runs
-- no hook; nobody's name is proved. `ops dataset verify` looks at main afterwards.

local lakefs = require("lakefs")
local json = require("encoding/json")
local hex = require("encoding/hex")
local sha256 = require("crypto/sha256")
local strings = require("strings")
local time = require("time")
local hook = require("hook")

local REPOSITORY = action.repository_id
local METADATA = action.commit.metadata
local MAIN = action.commit.parents[1]
local MERGED = action.commit_id

local STATES = { "labeled", "empty", "skipped", "unfinished", "quarantined" }
local RECORDS, SUFFIX = "annotations/", ".json"
local PAGE = 1000

-- What a merge of each kind may change: folders with their slash, and objects at the root.
-- `ops dataset verify` looks for the same (ops/core/audit.py).
local GATE = { "_gates/", "_lakefs_actions/" }
local ONTOLOGY = { "ontology/" }
local PICTURES = { "images/" }
local TABLES = { "metadata/" }
local PREDICTIONS = { "predictions/" }
local PROFILE = { "profile/" }
local SPLITS = { "splits/" }
local QUERIES = { "queries/" }
local RUNS = { "runs/" }
local VERSION = { "annotations/", "snapshot/", "README.md", "card.json", "rounds/", "changes/" }
local MAY_CHANGE = {
  ["init"] = { GATE, ONTOLOGY },
  ["data-add"] = { PICTURES },
  ["data-import"] = { PICTURES },
  ["finish"] = { VERSION },
  ["revert"] = { VERSION, ONTOLOGY },
  ["ontology"] = { VERSION, ONTOLOGY },
  ["gates"] = { GATE },
  ["repair"] = { GATE },
  ["data-join"] = { TABLES },
  ["predict"] = { PREDICTIONS },
  ["profile"] = { PROFILE },
  ["split"] = { SPLITS },
  ["query"] = { QUERIES },
  ["run"] = { RUNS },
}
local MAKES_A_VERSION = { "annotations/", "snapshot/", "README.md", "card.json" }

local function refuse(...)
  hook.fail(table.concat({ ... }))
end

local function is_among(value, list)
  for _, one in ipairs(list) do
    if one == value then
      return true
    end
  end
  return false
end

local function total(counts)
  local sum = 0
  for _, state in ipairs(STATES) do
    sum = sum + counts[state]
  end
  return sum
end

-- The texts one after the other. In halves, because table.concat copies all there is for each text
-- it adds (lakeFS 1.84: 10 000 lines took 4 s).
local function join(texts, first, last)
  first, last = first or 1, last or #texts
  if last - first < 32 then
    return table.concat(texts, "", first, last)
  end
  local middle = math.floor((first + last) / 2)
  return join(texts, first, middle) .. join(texts, middle + 1, last)
end

local function digest(texts)
  return hex.encode(sha256.digest(join(texts)))
end

-- The bounds

local started = time.now()
local read_count = 0

local function is_in_time()
  return time.now() - started <= args.most_seconds * 1000000000
end

-- Whether one more record may be read.
local function may_read()
  read_count = read_count + 1
  return read_count <= args.most_records and is_in_time()
end

-- What lakeFS holds

local function read(ref, path)
  local status, body = lakefs.get_object(REPOSITORY, ref, path)
  if status == 200 then
    return body
  elseif status ~= 404 then
    refuse("cannot read ", path, ": HTTP ", status)
  end
end

local function decode(text, path)
  local is_json, value = pcall(json.unmarshal, text or "")
  if not is_json or type(value) ~= "table" then
    refuse(path, " is missing, or no JSON object")
  end
  return value
end

-- Hands every result of a request that answers in pages to `use`; `ask` makes it. False where the
-- time was over before the last page.
local function each(ask, use)
  local after = ""
  repeat
    if not is_in_time() then
      return false
    end
    local status, page = ask(after)
    if status ~= 200 then
      refuse("cannot list what is merged: HTTP ", status)
    end
    for _, found in ipairs(page.results) do
      use(found)
    end
    after = page.pagination.next_offset
  until not page.pagination.has_more
  return true
end

-- The paths below a prefix that the merge changes, or with the delimiter "/" the folders they lie in;
-- and whether that is all of them.
local function changed(prefix, delimiter)
  local paths = {}
  local is_all = each(function(after)
    return lakefs.diff_refs(REPOSITORY, MAIN, MERGED, after, prefix, delimiter, PAGE)
  end, function(found)
    table.insert(paths, found.path)
  end)
  return paths, is_all
end

-- What the merge says of itself

local function said(name)
  local value = METADATA["ops." .. name]
  if value == nil or strings.trim(value) == "" then
    refuse("the merge does not say ops.", name, "; use ops, which says it")
  end
  return value
end

local function said_number(name)
  local value = tonumber(said(name))
  if value == nil or value < 0 or value ~= math.floor(value) then
    refuse("ops.", name, " is no whole number")
  end
  return value
end

local function said_counts(prefix)
  local counts = {}
  for _, state in ipairs(STATES) do
    counts[state] = said_number(prefix .. state)
  end
  if total(counts) ~= said_number(prefix .. "tasks") then
    refuse("the states do not add up to ops.", prefix, "tasks: a task is lost or counted twice")
  end
  return counts
end

local function check_kind(places)
  local kind = said("kind")
  said("actor")
  said("tool_version")
  if MAY_CHANGE[kind] == nil then
    refuse("ops.kind is '", kind, "', which this gate does not know")
  end
  for _, place in ipairs(places) do
    local is_allowed = false
    for _, allowed in ipairs(MAY_CHANGE[kind]) do
      is_allowed = is_allowed or is_among(place, allowed)
    end
    if not is_allowed then
      refuse("a merge of kind '", kind, "' may not change ", place)
    end
  end
  return kind
end

local function check_head()
  local expected = said("expected_head")
  if expected ~= MAIN then
    refuse(
      "main moved: it is at ", string.sub(MAIN, 1, 12), ", and the merge was checked against ",
      string.sub(expected, 1, 12), "; run the same command again"
    )
  end
end

-- What the records say

-- The state of a task by its record; what the record claims must be that.
local function state_of(record, path)
  local key = string.sub(path, #RECORDS + 1, -#SUFFIX - 1)
  if type(record.task) ~= "table" or record.task.key ~= key then
    refuse(path, " is the record of another task")
  elseif type(record.annotations) ~= "table" then
    refuse(path, " is no record: it has no annotations")
  end
  local state = #record.annotations > 0 and "skipped" or "unfinished"
  for _, annotation in ipairs(record.annotations) do
    if type(annotation) ~= "table" or type(annotation.result) ~= "table" then
      refuse(path, " is no record: an annotation has no result")
    end
    if not annotation.skipped and #annotation.result > 0 then
      state = "labeled"
    elseif not annotation.skipped and state ~= "labeled" then
      state = "empty"
    end
  end
  if record.quarantined then
    state = "quarantined"
  end
  if record.state ~= state then
    refuse(path, " calls itself ", tostring(record.state), ", its annotations say ", state)
  end
  return state
end

-- Adds the states of records at a ref to `counts`, times `sign`, handing each record's bytes to
-- `use`; false where the bounds did not allow to read them all.
local function add_states(ref, paths, counts, sign, use)
  for _, path in ipairs(paths) do
    if not may_read() then
      return false
    end
    local text = read(ref, path)
    if text ~= nil then
      local state = state_of(decode(text, path), path)
      counts[state] = counts[state] + sign
      use(path, text)
    end
  end
  return true
end

local function no_counts()
  local counts = {}
  for _, state in ipairs(STATES) do
    counts[state] = 0
  end
  return counts
end

local function check_counts(derived, counts)
  for _, state in ipairs(STATES) do
    if derived[state] ~= counts[state] then
      refuse(
        "ops.", state, " is ", counts[state], ", the records say ", derived[state]
      )
    end
  end
end

-- Derives counts and snapshot digest from every record: ops/core/snapshot.py says how.
local function check_every_record(paths, counts)
  local derived, lines = no_counts(), {}
  local is_whole = add_states(MERGED, paths, derived, 1, function(path, text)
    local key = string.sub(path, #RECORDS + 1, -#SUFFIX - 1)
    table.insert(lines, { key, hex.encode(sha256.digest(text)) })
  end)
  if not is_whole then
    return false
  end
  check_counts(derived, counts)
  table.sort(lines, function(one, two)
    return one[1] < two[1]
  end)
  for place, line in ipairs(lines) do
    lines[place] = line[1] .. "\t" .. line[2] .. "\n"
  end
  if digest(lines) ~= said("snapshot_digest") then
    refuse("ops.snapshot_digest is not the digest of the records")
  end
  print("counts and snapshot digest derived again from every record")
  return true
end

-- The records at a ref: their paths, the digest of their listing, and whether that is all of them.
-- ops/core/snapshot.py says what the digest is.
local function listed(ref)
  local paths, lines = {}, {}
  local is_all = each(function(after)
    return lakefs.list_objects(REPOSITORY, ref, after, RECORDS, "", PAGE)
  end, function(found)
    table.insert(paths, found.path)
    table.insert(lines, found.path .. "\t" .. found.checksum .. "\n")
  end)
  return paths, digest(lines), is_all
end

-- Main's card, where it is one; what somebody broke there is no reason to refuse what mends it.
local function card_on_main()
  local is_json, card = pcall(decode, read(MAIN, "card.json"), "card.json")
  if is_json and type(card.tasks) == "table" and type(card.version) == "number" then
    return card
  end
end

-- The counts of main: its card's, if that is of the records there. None where there is no record.
local function counts_on_main()
  local paths, listing = listed(MAIN)
  local card = card_on_main()
  if #paths == 0 then
    return no_counts()
  elseif card ~= nil and card.listing_digest == listing then
    return card.tasks
  end
end

-- Derives the counts from main's, less the changed records as they are there, plus as they come.
local function check_changed_records(counts)
  local paths, is_all = changed(RECORDS, "")
  local derived = counts_on_main()
  local nothing = function() end
  if not is_all or 2 * #paths > args.most_records then
    print("NOT CHECKED: what the changed records say; there are too many to read")
  elseif derived == nil then
    print("NOT CHECKED: the counts; main's card is not of main's records")
  elseif not add_states(MERGED, paths, derived, 1, nothing) then
    print("NOT CHECKED: what the changed records say; it would take too long")
  else
    local is_readable, is_whole = pcall(add_states, MAIN, paths, derived, -1, nothing)
    if is_readable and is_whole then
      check_counts(derived, counts)
      print("counts derived again from main's and " .. #paths .. " changed records")
    else
      print("NOT CHECKED: the counts; what main says of the changed records cannot be read")
    end
  end
end

local function check_card(counts)
  local card = decode(read(MERGED, "card.json"), "card.json")
  for _, state in ipairs(STATES) do
    if type(card.tasks) ~= "table" or card.tasks[state] ~= counts[state] then
      refuse("card.json and the merge do not say the same of ops.", state)
    end
  end
  if card.version ~= said_number("version") then
    refuse("card.json and the merge do not say the same of ops.version")
  elseif card.snapshot_digest ~= said("snapshot_digest") then
    refuse("card.json and the merge do not say the same of ops.snapshot_digest")
  end
  local before = card_on_main()
  if before ~= nil and before.version >= card.version then
    refuse("ops.version is ", card.version, ", and main has that version already")
  end
  return card
end

local function check_version()
  local counts = said_counts("")
  local card = check_card(counts)
  local paths, listing, is_all = listed(MERGED)
  if not is_all then
    print("NOT CHECKED: the records; there are too many to list")
    return
  elseif #paths ~= total(counts) then
    refuse("ops.tasks is ", total(counts), ", and there are ", #paths, " records")
  elseif listing ~= card.listing_digest then
    refuse("the records are not those card.json was made from")
  end
  print(#paths .. " records are those card.json was made from")
  if #paths > args.most_records or not check_every_record(paths, counts) then
    check_changed_records(counts)
    print("NOT CHECKED: the snapshot digest against the records; card.json says the same")
  end
end

local function check_finish()
  local path = "rounds/" .. said("round") .. ".json"
  local manifest = decode(read(MERGED, path), path)
  said("base")
  if manifest.id ~= said("round_id") or manifest.state ~= "finished" then
    refuse(path, " is not the manifest of this finished round")
  elseif manifest.version ~= said_number("version") then
    refuse(path, " and the merge do not say the same of ops.version")
  end
  local counts = said_counts("round_")
  for _, state in ipairs(STATES) do
    if (manifest.counts or {})[state] ~= counts[state] then
      refuse(path, " and the merge do not say the same of ops.round_", state)
    end
  end
  local settings = read(MAIN, "_gates/gates.json")
  if settings == nil then
    return
  end
  for _, name in ipairs(decode(settings, "_gates/gates.json").settings.metadata.required) do
    if strings.trim(METADATA[name] or "") == "" then
      refuse("the merge does not say ", name, ", which the gate on main asks for")
    end
  end
end

local function check_merge()
  local places = changed("", "/")
  local is_only_pictures = #places == 0 or (#places == 1 and places[1] == PICTURES[1])
  if is_only_pictures and METADATA["ops.kind"] == nil then
    print("pictures only")
    return
  end
  local kind = check_kind(places)
  if is_only_pictures then
    return
  end
  check_head()
  for _, place in ipairs(places) do
    if is_among(place, MAKES_A_VERSION) then
      check_version()
      break
    end
  end
  if kind == "finish" then
    check_finish()
  end
end

if action.event_type == "pre-merge" then
  check_merge()
else
  refuse(
    "main is not changed by ", action.event_type, ": that would leave snapshot and card behind; ",
    "make a new version with: ops dataset revert --to REF"
  )
end
