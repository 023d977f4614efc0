"""Camera moves from camera texts in ten languages."""

import pytest

from pipelines.video.animatic.move_parser import CameraMove, parse_move

IN = [
    "push in", "slow push-in", "Zoom in on the man", "dolly in", "moves closer", "the camera creeps towards her",
    "langsamer Zoom hinein", "Kamera fährt heran", "zoom avant", "travelling avant lent", "acercamiento lento",
    "yavaş yakınlaşma", "缓慢推近", "ゆっくりズームイン", "천천히 줌인", "تقريب بطيء", "धीमा ज़ूम इन",
]  # fmt: skip
OUT = [
    "pull out", "zoom out", "pull back to reveal the city", "dolly back", "camera backs away", "Kamerafahrt zurück",
    "zoom arrière", "alejarse", "uzaklaşma", "拉远", "ズームアウト", "줌 아웃", "ابتعاد", "ज़ूम आउट",
]  # fmt: skip
PAN_LEFT = [
    "pan left", "pans from right to left", "panning to the left", "left", "Schwenk nach links",
    "panoramique vers la gauche", "paneo a la izquierda", "sola kaydırma", "向左摇", "左にパン", "왼쪽으로 패닝",
    "تحريك أفقي إلى اليسار", "बाएं पैन",
]  # fmt: skip
PAN_RIGHT = [
    "Pan right", "pans from left to right", "Schwenk nach rechts", "panoramique à droite", "paneo a la derecha",
    "sağa kaydırma", "向右摇", "右にパン", "오른쪽으로 패닝", "تحريك أفقي إلى اليمين", "दाएं पैन",
]  # fmt: skip
HOLD = [
    "static shot", "locked-off camera", "hold", "still", "camera does not move", "no camera movement", "tripod",
    "statische Kamera", "Kamera fest", "plan fixe", "cámara fija", "sabit kamera", "固定镜头", "固定カメラ",
    "고정 샷", "كاميرا ثابتة", "स्थिर कैमरा",
]  # fmt: skip


@pytest.mark.parametrize("words", IN)
def test_a_push_in_is_recognised_in_every_language(words):
    move = parse_move(words, 3)
    assert move.zoom > 0
    assert not (move.pan)
    assert not (move.track)
    assert not (move.tilt)
    assert not (move.orbit)


@pytest.mark.parametrize("words", OUT)
def test_a_pull_out_is_recognised_in_every_language(words):
    assert parse_move(words, 3).zoom < 0


@pytest.mark.parametrize(("sign", "words"), [(-1, w) for w in PAN_LEFT] + [(1, w) for w in PAN_RIGHT])
def test_a_pan_and_its_direction_are_recognised_in_every_language(sign, words):
    move = parse_move(words, 3)
    assert move.pan == sign
    assert not move.zoom


@pytest.mark.parametrize("words", HOLD)
def test_a_static_camera_is_recognised_in_every_language(words):
    assert parse_move(words, 3).is_still


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("tilt up", CameraMove(tilt=1)),
        ("tilt down to the river", CameraMove(tilt=-1)),
        ("crane up", CameraMove(crane=1)),
        ("descending crane shot", CameraMove(crane=-1)),
        ("truck right", CameraMove(track=1)),
        ("follow her to the left", CameraMove(track=-1)),
        ("arc right around the table", CameraMove(orbit=1)),
        ("slow pan left while zooming in", CameraMove(zoom=1, pan=-1, pace=0.75)),
        ("whip pan right", CameraMove(pan=1, pace=1.7)),
        ("static, handheld", CameraMove(handheld=1)),
        ("Neigung nach oben", CameraMove(tilt=1)),
        ("环绕", None),
        ("回り込み", None),
    ],
)
def test_other_moves_combinations_and_paces_are_recognised(words, expected):
    move = parse_move(words, 3)
    assert move == expected if expected else move.orbit


def test_words_of_speed_set_the_pace():
    paces = [parse_move(f"{word} zoom in", 0).pace for word in ("barely noticeable", "slow", "", "fast")]
    assert paces == sorted(set(paces))


def test_an_empty_text_gives_a_gentle_move_that_depends_on_the_seed():
    moves = {parse_move("", seed) for seed in range(40)}
    assert len(moves) > 4
    assert not any(move.is_still or move.handheld for move in moves)


@pytest.mark.parametrize("words", ["pan", "tracking shot", "orbit"])
def test_the_seed_selects_a_side_that_the_text_leaves_open(words):
    moves = {parse_move(words, seed) for seed in range(20)}
    assert len(moves) == 2
    assert parse_move(words, 5) == parse_move(words, 5)


def test_a_text_without_camera_terms_gives_a_move():
    assert parse_move("the quick brown 🦊 * [( \\", 1)
